"""Accuracy by class and the confusion matrix (table 9 of the paper)."""

from collections.abc import Sequence
from typing import Any

from rotkeras.evaluate import tables
from rotkeras.evaluate.names import MODE_NAMES
from rotkeras.page import Cell, Table
from rotkeras.report.collect import Evaluation
from rotkeras.report.scores import chosen_rows, describe, untrained_twin

MOST_CLASSES = 20
"""A confusion matrix of more classes fits no screen; the pairs most often confused are listed
instead."""


def class_table(evaluation: Evaluation) -> Table | None:
    """Accuracy of each class by the chosen rows, beside the same probe on an untrained network
    where it is there."""
    rows = chosen_rows(evaluation)
    first, twin = rows[0], untrained_twin(evaluation, rows)
    part = evaluation.part([*rows, *twin])
    columns = [(MODE_NAMES[first["mode"]], tables.per_class(rows, part))]
    columns += (
        [("untrained", tables.per_class(twin, part))] if twin and first["mode"] != "random" else []
    )
    lines = []
    for label in columns[0][1]:
        shares = [of.get(label) for _, of in columns]
        if shares[0] is None:
            continue
        gain = None if len(shares) < 2 or shares[1] is None else shares[0] - shares[1]
        line: list[Any] = [
            label,
            *(
                None if share is None else Cell(f"{100 * share:.1f}", share, share)
                for share in shares
            ),
        ]
        lines.append(
            [
                *line,
                Cell(f"{100 * gain:+.1f}".replace("-", "−"), gain) if gain is not None else None,
            ]
            if len(columns) > 1
            else line
        )
    caption = f"Accuracy in % of each class, {describe(first)}: {evaluation.title(part)}."
    return Table(
        caption,
        ["class", *(name for name, _ in columns), *(["gain"] if len(columns) > 1 else [])],
        lines,
    )


def confusion_table(evaluation: Evaluation) -> Table | None:
    """The confusion matrix of the chosen row, or above 20 classes the pairs that are confused
    most."""
    rows = chosen_rows(evaluation)
    part = evaluation.part(rows)
    matrices, names = [row[part]["confusion"] for row in rows], list(rows[0][part]["per_class"])
    if any(matrix is None or len(matrix) != len(names) for matrix in matrices):
        return None
    matrix = [
        [sum(cells) for cells in zip(*lines, strict=True)] for lines in zip(*matrices, strict=True)
    ]
    seeds = f", {len(rows)} seeds together" if len(rows) > 1 else ""
    about = f"by the {describe(rows[0])}{seeds}, {evaluation.title(part)}"
    if len(names) <= MOST_CLASSES:
        caption = f"Rows are the true class, columns the predicted class, % of the row, {about}."
        return matrix_table(matrix, names, caption)
    pairs = sorted(
        (
            (count / max(1, sum(counts)), count, true, predicted)
            for true, counts in enumerate(matrix)
            for predicted, count in enumerate(counts)
            if true != predicted and count
        ),
        reverse=True,
    )[:20]
    lines = [
        [names[true], names[predicted], Cell(f"{100 * share:.1f}", share, share), count]
        for share, count, true, predicted in pairs
    ]
    return Table(
        f"The pairs confused most, {about}.",
        ["class", "predicted", "% of the class", "images"],
        lines,
    )


def matrix_table(matrix: Sequence[Sequence[int]], names: Sequence[str], caption: str) -> Table:
    """Counts of true and predicted classes as a table, in % of each row.

    Args:
        matrix: a row for each true class, a column for each predicted one.
        names: of the classes.
        caption: of the table.
    """
    lines: list[list[Any]] = []
    for true, counts in enumerate(matrix):
        total = max(1, sum(counts))
        cells = [
            Cell(
                f"{100 * count / total:.0f}" if count else "",
                count / total,
                count / total,
                title=f"true {names[true]}, predicted {names[predicted]}: {count:,}",
            )
            for predicted, count in enumerate(counts)
        ]
        lines.append([names[true], *cells])
    return Table(caption, ["", *names], lines, sortable=False)
