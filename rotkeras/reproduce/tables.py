"""A reproduced table as Markdown and CSV."""

import csv
import io
from collections.abc import Sequence
from typing import Any

from rotkeras.reproduce.paper import Table
from rotkeras.reproduce.reproduce import Reproduced

HEADER = (
    "row",
    "column",
    "ours",
    "±",
    "seeds",
    "paper",
    "difference",
    "tolerance",
    "within",
    "rerun of the authors' code",
)


def verdict(number: Reproduced, conclusive: bool) -> str:
    """Whether a number is reproduced, in a word or two; `conclusive` is False at any scale but the
    full one."""
    if not conclusive:
        return "not compared"
    return {True: "yes", False: "no", None: ""}[number.within]


def cells(number: Reproduced, conclusive: bool) -> list[str]:
    """The texts of one number, in the order of `HEADER`."""
    entry = number.entry
    return [
        entry.row,
        entry.column,
        f"{number.mean:.2f}",
        f"{number.margin:.2f}",
        str(len(number.values)),
        "" if entry.paper is None else f"{entry.paper:.2f}",
        "" if number.difference is None else f"{number.difference:+.2f}",
        f"{entry.tolerance:.1f}",
        verdict(number, conclusive),
        "" if entry.rerun is None else f"{entry.rerun:.2f}",
    ]


def as_csv(numbers: Sequence[Reproduced], conclusive: bool) -> str:
    """One line for each number, and the values of each seed in the last column."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*HEADER, "values of each seed"])
    for number in numbers:
        writer.writerow(
            [*cells(number, conclusive), " ".join(f"{value:.4f}" for value in number.values)]
        )
    return text.getvalue()


def curve_csv(curve: Sequence[dict[str, Any]]) -> str:
    """The points of figure 5a: seed, epoch, rotation accuracy and conv-probe accuracy, both online
    on validation, in percent."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["seed", "epoch", "rotation accuracy", "conv probe accuracy (conv2, online)"])
    for point in curve:
        probe = "" if point["probe"] is None else f"{100 * point['probe']:.2f}"
        writer.writerow([point["seed"], point["epoch"], f"{100 * point['rotation']:.2f}", probe])
    return text.getvalue()


def as_markdown(
    table: Table,
    numbers: Sequence[Reproduced],
    facts: dict[str, str],
    conclusive: bool,
    curve: Sequence[Any] = (),
) -> str:
    """The table with what it was made by.

    Args:
        table: what was reproduced.
        numbers: ours.
        facts: lines of "key: value" below the table, such as command, scale and machine.
        conclusive: whether the tolerance is applied.
        curve: the points of figure 5a.
    """
    lines = [f"# {table.title}", ""]
    if not conclusive:
        lines += [f"**Run at {facts['scale']}: not compared with the paper.**", ""]
    titles = [
        table.row_title or "what",
        table.column_title or "",
        "ours",
        "±",
        "seeds",
        *HEADER[5:],
    ]
    lines += ["| " + " | ".join(titles) + " |", "|" + "---|" * 2 + "---:|" * 6 + "---|---:|"]
    lines += ["| " + " | ".join(cells(number, conclusive)) + " |" for number in numbers]
    if curve:
        lines += [
            "",
            "| seed | epoch | rotation, online % | conv probe, online % |",
            "|---:|---:|---:|---:|",
        ]
        for point in curve:
            probe = "" if point["probe"] is None else f"{100 * point['probe']:.2f}"
            lines.append(
                f"| {point['seed']} | {point['epoch']} | {100 * point['rotation']:.2f} | {probe} |"
            )
    lines += [
        "",
        (
            "Accuracy in percent. ± is the 95 % interval over seeds, or with one seed that of the"
            " test images alone."
        ),
    ]
    if table.note:
        lines += ["", table.note]
    lines += ["", *(f"- {key}: {value}" for key, value in facts.items())]
    return "\n".join(lines) + "\n"
