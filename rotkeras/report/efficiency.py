"""Accuracy over labels per class (figure 5b of the paper)."""

from typing import Any

from rotkeras.evaluate import tables
from rotkeras.evaluate.names import MODE_NAMES
from rotkeras.page import Cell, Figure, Table, new_axes, to_figure
from rotkeras.page.figures import MARKERS, SERIES, plain
from rotkeras.report.collect import Evaluation
from rotkeras.report.curves import put_legend


def label_efficiency(evaluation: Evaluation, name: str) -> Figure | Table | None:
    """Accuracy over labels per class: a line for each probe and state of the backbone, with 95 %
    intervals over seeds.

    With a single number of labels it is a table alone.
    """
    few = [row for row in evaluation.rows if row["labels_per_class"] != "all"]
    if not few:
        return None
    part = evaluation.part(few)
    images = evaluation.images(part)
    groups = tables.grouped(few, "probe", "mode", "budget", "tap", "draw")
    several_taps = len({key[3] for key in groups}) > 1
    figure, axes = new_axes()
    values: dict[str, list[str]] = {}
    lines: list[list[Any]] = []
    counts = sorted({row["labels_per_class"] for row in few})
    several_budgets = len({key[2] for key in groups} - {"closed form"}) > 1
    for number, ((probe, mode, budget, tap, draw), rows) in enumerate(groups.items()):
        more = (
            [tap] * several_taps + [budget] * several_budgets + ["first images"] * (draw == "first")
        )
        label = ", ".join([probe, MODE_NAMES[mode], *more])
        by_count = tables.grouped(rows, "labels_per_class")
        cells = {count: tables.cell(by_count.get((count,), []), part, images) for count in counts}
        there = [(count, cell) for count, cell in cells.items() if cell is not None]
        axes.errorbar(
            [count for count, _ in there],
            [100 * cell.mean for _, cell in there],
            yerr=[100 * cell.margin for _, cell in there],
            color=SERIES[number % len(SERIES)],
            elinewidth=1,
            capsize=2,
            linestyle="none",
        )
        axes.plot(
            [count for count, _ in there],
            [100 * cell.mean for _, cell in there],
            color=SERIES[number % len(SERIES)],
            marker=MARKERS[number % len(MARKERS)],
            markersize=5,
            linewidth=1.8,
            label=plain(label),
            gid=f"line{number}",
        )
        values[f"line{number}"] = [
            f"{label}, {count} labels per class: {cell.text(margin=True)} % ({cell.seeds}"
            f" seed{'s' if cell.seeds > 1 else ''})"
            for count, cell in there
        ]
        lines.append(
            [
                label,
                *(
                    Cell(cell.text(margin=True), cell.mean) if cell else None
                    for cell in cells.values()
                ),
            ]
        )
    axes.set_xscale("log")
    axes.set_xticks(counts, [f"{count:,}" for count in counts])
    axes.minorticks_off()
    axes.set_xlabel("labels per class")
    axes.set_ylabel(f"accuracy on {part} images, %")
    put_legend(axes, [line[0] for line in lines])
    caption = f"Accuracy in % on {evaluation.title(part)}, ± 95 % interval"
    table = Table(caption, ["method", *(f"{count:,} per class" for count in counts)], lines)
    if len(counts) == 1:
        return table
    given = ", ".join(f"{count:,}" for count in counts)
    words = (
        f"Accuracy of {len(groups)} ways of using {given} labels per class; bars are 95 %"
        " intervals."
    )
    return to_figure(figure, name, "Accuracy over labels per class", words, values, table)
