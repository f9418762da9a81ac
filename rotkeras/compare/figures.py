"""Figures of a comparison: accuracy over minutes, views and taps, and each task's monitor."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rotkeras.compare.protocol import MAIN, is_ranked
from rotkeras.page import Cell, Figure, Table, new_axes, to_figure
from rotkeras.page.figures import MARKERS, PALE, SERIES, plain
from rotkeras.pretext.base import Monitor
from rotkeras.report.curves import put_legend


@dataclass(frozen=True)
class Line:
    """A line of a figure.

    Attributes:
        name: in the legend.
        points: (x, mean, lowest, highest) over seeds.
        words: of each x: "after 2.0 minutes".
        pale: whether it is a level to compare with, and no result.
    """

    name: str
    points: Sequence[tuple[float, float, float, float]]
    words: Sequence[str]
    pale: bool = False


def accuracy_curve(content: dict[str, Any], over: str) -> Figure | None:
    """The best tap's accuracy by ridge after each round, over "minutes" of training or "views"."""
    lines = []
    for name, entry in content["entries"].items():
        runs = [
            run
            for run in entry["runs"].values()
            if is_ranked(run) and any(each["probes"] for each in run["rounds"])
        ]
        if not runs:
            continue
        points, words = [], []
        if before := [_best(_by_probe(run["before"])) for run in runs if run["before"]]:
            points.append((0.0, *_spread(before)))
            words.append("untrained")
        for there in _by_round(runs):
            probed = [each for each in there if each["probes"].get(MAIN)]
            if not probed:
                continue
            x = sum(each[over] for each in probed) / len(probed)
            points.append((x, *_spread([_best(each["probes"]) for each in probed])))
            words.append(
                (f"after {x:,.1f} minutes" if over == "minutes" else f"{x:,.0f} views")
                + _part_of(len(probed), len(runs))
            )
        lines.append(Line(name, points, words))
    label = "minutes of training" if over == "minutes" else "views"
    return figure(
        lines,
        f"accuracy-{over}",
        f"Accuracy over {'minutes of training' if over == 'minutes' else 'views'}",
        label,
        "accuracy by ridge, %",
        "Best tap on validation images, by probes between the rounds on part of the labels; the"
        " table above is the evaluation."
        + (" Bands: from the lowest to the highest seed." if content["seeds"] > 1 else "")
        + _without_collapsed(content),
    )


def tap_figures(content: dict[str, Any]) -> list[Figure]:
    """Accuracy by tap on validation: all tasks in one figure, backbones in one each."""
    untrained = content["untrained"]
    lines = {name: _over_taps(name, entry["runs"]) for name, entry in content["entries"].items()}
    lines = {name: each for name, each in lines.items() if each.points}
    about = "Validation images, all labels; the tap of each run is chosen by these numbers."
    about += _without_collapsed(content)
    if content["by_backbone"]:
        groups = [
            (f"Accuracy by tap: {name}", [line, _over_taps("untrained", untrained.get(name, {}))])
            for name, line in lines.items()
        ]
    else:
        before: Any = next(iter(untrained.values()), {})
        groups = [("Accuracy by tap", [*lines.values(), _over_taps("untrained", before)])]
    found = []
    for number, (title, group) in enumerate(groups):
        taps = list(dict.fromkeys(word for line in group for word in line.words))
        made = figure(
            [line for line in group if line.points],
            f"taps-{number}",
            title,
            "tap",
            "accuracy by ridge, %",
            about,
            ticks=taps,
        )
        found += [made] if made else []
    return found


def monitor_figures(content: dict[str, Any]) -> list[Figure]:
    """The monitor of each entry over the rounds."""
    found = []
    for number, (name, entry) in enumerate(content["entries"].items()):
        monitor = Monitor(**entry["monitor"])
        runs = [run for run in entry["runs"].values() if run["rounds"]]
        lines = []
        for key, part in (("monitor_validation", "validation"), ("monitor", "training")):
            points, words = [], []
            for at, there in enumerate(_by_round(runs), 1):
                if known := [each[key] for each in there if each[key] is not None]:
                    points.append((float(at), *_spread(known)))
                    words.append(f"round {at}{_part_of(len(known), len(runs))}")
            lines += [Line(part, points, words)] if points else []
        if monitor.chance is not None and lines:
            ends = (lines[0].points[0][0], lines[0].points[-1][0])
            chance = monitor.chance
            level = [(x, chance, chance, chance) for x in ends]
            lines.append(Line("chance", level, ["", ""], pale=True))
        unit = f"{monitor.words}, %" if monitor.percent else monitor.words
        made = figure(
            lines,
            f"monitor-{number}",
            f"{name}: {monitor.words}",
            "round",
            unit,
            "",
            percent=monitor.percent,
        )
        found += [made] if made else []
    return found


def figure(
    lines: Sequence[Line],
    name: str,
    title: str,
    x_label: str,
    y_label: str,
    about: str,
    ticks: Sequence[str] = (),
    percent: bool = True,
) -> Figure | None:
    """Lines with bands; None where no line has two points.

    Args:
        lines: in the order of their colours.
        name: a word that no other figure of the page has.
        title, x_label, y_label: as they are shown.
        about: sentences after what the lines say.
        ticks: names of the places of x, for places that are no numbers.
        percent: whether values are shares.
    """
    lines = [line for line in lines if line.points]
    if not any(len(line.points) > 1 for line in lines):
        return None
    scale = 100.0 if percent else 1.0
    drawn, axes = new_axes(4.6, 3.1)
    values: dict[str, list[str]] = {}
    number = 0
    for line in lines:
        colour = PALE if line.pale else SERIES[number % len(SERIES)]
        x = [point[0] for point in line.points]
        mean, low, high = ([scale * point[at] for point in line.points] for at in (1, 2, 3))
        if low != high:
            axes.fill_between(x, low, high, color=colour, alpha=0.15, linewidth=0)
        gid = f"line{number}" if not line.pale else f"level{number}"
        axes.plot(
            x,
            mean,
            color=colour,
            marker="" if line.pale else MARKERS[number % len(MARKERS)],
            markersize=5,
            linewidth=1 if line.pale else 1.8,
            # Colours come again after ten lines.
            linestyle=(0, (4, 3)) if line.pale or number >= len(SERIES) else "-",
            label=plain(line.name),
            gid=gid,
        )
        if not line.pale:
            values[gid] = [
                f"{line.name}, {word}: {_text(point[1], percent)}"
                for word, point in zip(line.words, line.points, strict=True)
            ]
            number += 1
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    if ticks:
        axes.set_xticks(range(len(ticks)), ticks)
    elif x_label == "round":
        axes.xaxis.get_major_locator().set_params(integer=True)
    elif max(point[0] for line in lines for point in line.points) >= 10_000:
        axes.xaxis.set_major_formatter(_thousands)
    put_legend(axes, [line.name for line in lines])
    words = "; ".join(
        f"{line.name} from {_text(line.points[0][1], percent)} to"
        f" {_text(line.points[-1][1], percent)}"
        for line in lines
        if not line.pale
    )
    return to_figure(
        drawn, name, title, f"{words}. {about}".strip(), values, _table(lines, title, percent)
    )


def _thousands(value: float, _place: Any = None) -> str:
    return f"{value / 1e6:g} M" if value >= 1e6 else f"{value / 1e3:g} k" if value else "0"


def _by_probe(before: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    """{probe: {tap: accuracy}} of {tap: {probe: accuracy}}."""
    return {MAIN: {tap: each[MAIN] for tap, each in before.items() if MAIN in each}}


def _best(probes: dict[str, dict[str, float]]) -> float:
    return max(probes[MAIN].values())


def _without_collapsed(content: dict[str, Any]) -> str:
    statuses = [
        run["status"] for entry in content["entries"].values() for run in entry["runs"].values()
    ]
    return " Runs that collapsed are left out." if "collapsed" in statuses else ""


def _by_round(runs: Sequence[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """For each round the records of the runs that have got so far."""
    most = max((len(run["rounds"]) for run in runs), default=0)
    return [[run["rounds"][at] for run in runs if at < len(run["rounds"])] for at in range(most)]


def _part_of(count: int, total: int) -> str:
    """How many seeds a mean is of, where it is not of all."""
    return "" if count == total else f" ({count} of {total} seeds)"


def _spread(values: Sequence[float]) -> tuple[float, float, float]:
    return sum(values) / len(values), min(values), max(values)


def _over_taps(name: str, runs: dict[str, Any]) -> Line:
    there = [run["validation"] for run in runs.values() if is_ranked(run) and run["validation"]]
    taps = list(there[0]) if there else []
    points = [
        (float(at), *_spread([each[tap][MAIN] for each in there])) for at, tap in enumerate(taps)
    ]
    return Line(name, points, taps, pale=name == "untrained")


def _text(value: float, percent: bool) -> str:
    return f"{100 * value:.1f} %" if percent else f"{value:.3g}"


def _table(lines: Sequence[Line], title: str, percent: bool) -> Table:
    rows = [
        [line.name, word or None, Cell(_text(point[1], percent), point[1])]
        for line in lines
        if not line.pale or line.name == "untrained"
        for word, point in zip(line.words, line.points, strict=True)
    ]
    return Table(title, ["", "", "mean"], rows)
