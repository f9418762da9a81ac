"""A reproduced table as a picture: ours beside the paper's."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rotkeras.reproduce.paper import Table
from rotkeras.reproduce.reproduce import Reproduced

OURS, PAPER, RERUN = "#0b6e99", "#c9c5bd", "#d98a3d"


def plot(
    path: Path,
    table: Table,
    numbers: Sequence[Reproduced],
    subtitle: str,
    curve: Sequence[Any] = (),
) -> None:
    """Draw a table to a PNG file.

    Args:
        path: where to.
        table: which table.
        numbers: ours.
        subtitle: the scale, in words.
        curve: the points of figure 5a.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    wide = 8.0 if table.name.startswith("figure") else max(7.0, 0.75 * len(numbers) + 2)
    figure = Figure(figsize=(wide, 4.6), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    if table.name == "figure5a":
        _curve(axes, numbers, curve)
    elif table.name == "figure5b":
        _by_labels(axes, numbers)
    else:
        _beside(axes, numbers)
    axes.set_ylabel("accuracy, %")
    axes.grid(axis="y", color="#e6e3dd", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title(f"{table.title}\n", loc="left", fontsize=12, fontweight="bold")
    axes.text(0, 1.02, subtitle, transform=axes.transAxes, fontsize=8, color="#555555")
    figure.savefig(path, format="png")


def _beside(axes: Any, numbers: Sequence[Reproduced]) -> None:
    """A group of bars for each number: ours, the paper's, the rerun's."""
    positions = range(len(numbers))
    paper = [number.entry.paper or 0.0 for number in numbers]
    axes.bar([at + 0.2 for at in positions], paper, 0.36, color=PAPER, label="paper")
    margins = [number.margin for number in numbers]
    axes.bar(
        [at - 0.2 for at in positions],
        [n.mean for n in numbers],
        0.36,
        yerr=margins,
        color=OURS,
        label="ours, 95 % interval",
    )
    reruns = [
        (at + 0.2, number.entry.rerun)
        for at, number in enumerate(numbers)
        if number.entry.rerun is not None
    ]
    if reruns:
        axes.plot(
            *zip(*reruns, strict=True),
            linestyle="",
            marker="_",
            markersize=14,
            markeredgewidth=2,
            color=RERUN,
            label="rerun",
        )
    labels = [f"{number.entry.row}\n{number.entry.column}".strip() for number in numbers]
    axes.set_xticks(
        list(positions),
        labels,
        rotation=45 if len(numbers) > 4 else 0,
        ha="right" if len(numbers) > 4 else "center",
    )
    axes.tick_params(axis="x", labelsize=7)
    axes.legend(loc="upper center", ncols=3, fontsize=8, frameon=False)
    highest = max([*paper, *(number.mean + number.margin for number in numbers)])
    axes.set_ylim(0, min(115.0, 1.15 * highest))


def _by_labels(axes: Any, numbers: Sequence[Reproduced]) -> None:
    """Accuracy over labels per class, a line for each method."""
    ticks = list(dict.fromkeys(number.entry.row for number in numbers))
    for column, colour in (("RotNet + conv", OURS), ("supervised", RERUN)):
        mine = [number for number in numbers if number.entry.column == column]
        at = [ticks.index(number.entry.row) for number in mine]
        axes.errorbar(
            at,
            [n.mean for n in mine],
            yerr=[n.margin for n in mine],
            marker="o",
            color=colour,
            label=f"{column}, ours",
        )
        axes.plot(
            at,
            [n.entry.paper for n in mine],
            linestyle=":",
            marker=".",
            color=colour,
            label=f"{column}, survey",
        )
    axes.set_xticks(range(len(ticks)), ticks)
    axes.set_xlabel("labels per class, as published")
    axes.legend(fontsize=8, frameon=False)


def _curve(axes: Any, numbers: Sequence[Reproduced], curve: Sequence[Any]) -> None:
    """Rotation and conv-probe accuracy over epochs, and the supervised line."""
    for seed in dict.fromkeys(point["seed"] for point in curve):
        mine = [point for point in curve if point["seed"] == seed]
        first = seed == curve[0]["seed"]
        epochs = [point["epoch"] for point in mine]
        axes.plot(
            epochs,
            [100 * p["rotation"] for p in mine],
            color=RERUN,
            label="rotation, online (validation)" if first else None,
        )
        probed = [point for point in mine if point["probe"] is not None]
        axes.plot(
            [point["epoch"] for point in probed],
            [100 * point["probe"] for point in probed],
            color=OURS,
            marker="o",
            label="conv probe on conv2, online (validation)" if first else None,
        )
    axes.axhline(numbers[0].mean, color="#555555", linestyle="--", label="supervised (test)")
    axes.set_xlabel("epoch of pre-training")
    axes.legend(fontsize=8, frameon=False)
