"""Runs side by side, as tables."""

from collections.abc import Sequence
from typing import Any

from rotkeras.evaluate import tables
from rotkeras.evaluate.names import MODE_NAMES
from rotkeras.page import Cell, Table
from rotkeras.report.collect import Gathered
from rotkeras.report.scores import column_of, with_all_labels
from rotkeras.text import clock


def side_by_side(runs: Sequence[Gathered]) -> list[Table]:
    """Tables that compare runs: what each was and what came out, and their taps under the probes
    that all have."""
    lines: list[list[Any]] = []
    same = len({run.monitor.words for run in runs}) == 1
    for run in runs:
        summary = run.summary or {}
        value, part = run.monitored()
        on = " (training)" if part == "training" else ""
        words = "" if same else f" {run.monitor.short}"
        seconds = summary.get("seconds")
        best = (summary.get("encoder") or {}).get("best")
        line: list[Any] = [
            run.name,
            (summary.get("images") or {}).get("train"),
            Cell(f"{len(run.metrics)} of {run.recipe.train.epochs}", len(run.metrics)),
            Cell(clock(seconds), seconds) if seconds else None,
            summary.get("parameters"),
            None if value is None else Cell(f"{run.monitor.show(value)}{words}{on}", value),
            best["tap"] if best else None,
            (
                Cell(f"{100 * best['value']:.1f}", best["value"], title=best["measure"])
                if best and best["measure"] != "epoch"
                else None
            ),
        ]
        lines.append(line)
    headings = [
        "run",
        "training images",
        "epochs",
        "time",
        "parameters",
        runs[0].monitor.words if same else "monitor",
        "encoder's tap",
        "its online score, %",
    ]
    found = [Table("What each run was, and what came out of training.", headings, lines)]
    evaluated = [(run, run.evaluations[0]) for run in runs if run.evaluations]
    if (
        len(evaluated) > 1
        and len({evaluation.content["images"]["source"] for _, evaluation in evaluated}) == 1
    ):
        best_rows = []
        # One part for the whole table: numbers of validation and of test share no column.
        part = (
            "test"
            if all(row["test"] for _, each in evaluated for row in with_all_labels(each))
            else "validation"
        )
        columns = [
            column
            for column in dict.fromkeys(
                c for _, each in evaluated for c in tables.columns(with_all_labels(each))
            )
            if all(
                any(column_of(row) == column for row in with_all_labels(each))
                for _, each in evaluated
            )
        ]
        for run, each in evaluated:
            line = [run.name]
            for column in columns:
                rows = [row for row in with_all_labels(each) if column_of(row) == column]
                tap = tables.best_tap(rows, each.content).tap
                cell = tables.cell(
                    [row for row in rows if row["tap"] == tap], part, each.images(part)
                )
                line.append(
                    Cell(f"{cell.text()} {tap}", cell.mean, title=f"±{100 * cell.margin:.1f}")
                    if cell
                    else None
                )
            best_rows.append(line)
        if columns:
            caption = (
                f"Accuracy in % on the {part} part, at the tap that validation chooses, by probe."
            )
            found.append(
                Table(
                    caption,
                    ["run", *(f"{probe}\n{MODE_NAMES[mode]}" for probe, mode, _ in columns)],
                    best_rows,
                )
            )
    return found
