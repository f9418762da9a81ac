"""Accuracies with their intervals, side by side."""

from typing import Any

from rotkeras.compare.protocol import PROBES
from rotkeras.compare.verdict import Interval
from rotkeras.page import Cell, Figure, Table, new_axes, to_figure
from rotkeras.page.figures import MARKERS, PALE, SERIES, plain
from rotkeras.report.curves import put_legend

_DRAWN = PROBES[:2]


def scores_figure(content: dict[str, Any]) -> Figure | None:
    """The accuracies of the table with their 95 % intervals, and that of the untrained network;
    None without labels."""
    entries = {name: each["summary"] for name, each in content["entries"].items()}
    names = [name for name, each in entries.items() if each["probes"]]
    if not names:
        return None
    figure, axes = new_axes(4.6, 3.1)
    values: dict[str, list[str]] = {}
    labels, rows = [], []
    for number, probe in enumerate(_DRAWN):
        there = [at for at, name in enumerate(names) if probe in entries[name]["probes"]]
        found = [Interval(**entries[names[at]]["probes"][probe]) for at in there]
        if not found:
            continue
        places = [at + 0.24 * (number - 0.5) for at in there]
        margins = [100 * each.margin for each in found]
        means = [100 * each.mean for each in found]
        axes.errorbar(
            places, means, margins, color=SERIES[number], linestyle="none", linewidth=1.6, capsize=3
        )
        axes.plot(
            places,
            means,
            color=SERIES[number],
            marker=MARKERS[number],
            markersize=6,
            linestyle="none",
            label=plain(probe),
            gid=f"probe{number}",
        )
        labels.append(probe)
        values[f"probe{number}"] = [
            f"{names[at]}, {probe}: {each.text()} %" for at, each in zip(there, found, strict=True)
        ]
        rows += [
            [names[at], probe, Cell(each.text(), each.mean)]
            for at, each in zip(there, found, strict=True)
        ]
        labels += _untrained(axes, entries[names[0]], probe, number, content["by_backbone"])
    axes.set_xticks(range(len(names)), [plain(name) for name in names])
    if max(map(len, names)) * len(names) > 40:
        axes.tick_params(axis="x", rotation=35)
    axes.set_xlim(-0.6, len(names) - 0.4)
    axes.set_ylim(top=min(100.5, axes.get_ylim()[1]))  # an interval may leave what can be
    axes.set_ylabel("accuracy, %")
    put_legend(axes, labels)
    part = content["part"]
    said = "; ".join(words for each in values.values() for words in each)
    return to_figure(
        figure,
        "scores",
        f"Accuracy on {part} images",
        f"{said}. Lines are 95 % intervals.",
        values,
        Table("Accuracy in %.", ["", "probe", "accuracy"], rows),
    )


def _untrained(
    axes: Any, summary: dict[str, Any], probe: str, number: int, differ: bool
) -> list[str]:
    """A level for the untrained network where all have the same one."""
    record = summary["untrained"].get(probe)
    if record is None or differ:
        return []
    label = f"untrained, {probe}"
    axes.axhline(
        100 * record["mean"],
        color=PALE,
        linestyle=(0, (4, 3)) if number == 0 else (0, (1, 2)),
        linewidth=1,
        label=label,
    )
    return [label]
