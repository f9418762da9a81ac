"""Figures over epochs: the task's monitor, probes, equivariance (figure 5a of the paper)."""

from collections.abc import Sequence
from typing import Any

from rotkeras.page import Cell, Figure, Table, new_axes, to_figure
from rotkeras.page.figures import MARKERS, PALE, SERIES, plain
from rotkeras.report.collect import Gathered

Line = tuple[str, list[tuple[int, float]]]
"""A name, and its (epoch, share) points."""


def monitor_curve(runs: Sequence[Gathered], name: str) -> Figure | None:
    """The monitor of the task over epochs: training and validation of one run, or validation of
    several of one task; None for runs of different tasks."""
    lines: list[Line] = []
    monitor = runs[0].monitor
    if len({each.monitor.words for each in runs}) > 1:
        return None
    for each in runs:
        validation = each.series(f"val_{monitor.metric}")
        training = each.series(monitor.metric)
        if len(runs) == 1:
            lines += [("validation", validation)] if validation else []
            lines += [("training, augmented", training)] if training else []
        elif validation or training:
            lines.append(
                (each.name if validation else f"{each.name} (training)", validation or training)
            )
    chances = {each.monitor.chance for each in runs}
    chance = chances.pop() if len(chances) == 1 else None
    level = None if chance is None else ("chance", chance)
    title = f"{monitor.words[:1].upper()}{monitor.words[1:]} over epochs"
    unit = f"{monitor.words}, %" if monitor.percent else monitor.words
    return over_epochs(lines, name, title, unit, level=level, percent=monitor.percent)


def probe_curves(run: Gathered, name: str) -> list[Figure]:
    """Online probe accuracy of every tap over epochs, one figure for each probe; epoch 0 is the
    untrained network."""
    keys = [
        key.split("/")
        for row in run.metrics
        for key in row
        if key.startswith("probe/") and key.count("/") == 2
    ]
    probes = list(dict.fromkeys(key[2] for key in keys))
    untrained = ((run.summary or {}).get("probes") or {}).get("untrained") or {}
    figures = []
    for number, probe in enumerate(probes):
        lines: list[Line] = []
        for tap in sorted({key[1] for key in keys if key[2] == probe}):
            before = [(0, untrained[tap][probe])] if probe in untrained.get(tap, {}) else []
            lines.append((tap, before + run.series(f"probe/{tap}/{probe}")))
        title = f"{probe} probe of each tap over epochs"
        figure = over_epochs(
            lines, f"{name}-{number}", title, "accuracy on validation images, %", online=True
        )
        figures += [figure] if figure else []
    return figures


def output_curve(run: Gathered, name: str) -> Figure | None:
    """The accuracies of a task whose model has several outputs, such as E-SSL's, over epochs."""
    keys = dict.fromkeys(
        key for row in run.metrics for key in row if key.endswith("_accuracy") and "/" not in key
    )
    lines = [
        (
            key.removesuffix("_accuracy").removeprefix("val_")
            + (", validation" if key.startswith("val_") else ", training"),
            run.series(key),
        )
        for key in keys
    ]
    if len({words.split(",")[0] for words, _ in lines}) < 2:
        return None
    return over_epochs(lines, name, "Accuracy of each output over epochs", "accuracy, %")


def online_probe_curve(run: Gathered, name: str) -> Figure | None:
    """The accuracy of classifiers that were trained alongside, of every tap, over epochs."""
    keys = dict.fromkeys(key for row in run.metrics for key in row if "online/" in key)
    validated = [key for key in keys if key.startswith("val_")]
    lines = [(key.rpartition("/")[2], run.series(key)) for key in validated or keys]
    of = "validation" if validated else "training"
    return over_epochs(
        lines, name, "Online linear probe of each tap over epochs", f"accuracy on {of} images, %"
    )


def best_probe_curve(runs: Sequence[Gathered], name: str) -> Figure | None:
    """The best tap's online accuracy by the first probe of each run, over epochs."""
    lines: list[Line] = []
    for each in runs:
        probe = each.recipe.probe.probes[0]
        best = {
            row["epoch"]: max(
                row[key] for key in row if key.startswith("probe/") and key.endswith(f"/{probe}")
            )
            for row in each.metrics
            if any(key.startswith("probe/") and key.endswith(f"/{probe}") for key in row)
        }
        if best:
            lines.append(
                (
                    (
                        each.name
                        if len({r.recipe.probe.probes[0] for r in runs}) == 1
                        else f"{each.name} ({probe})"
                    ),
                    list(best.items()),
                )
            )
    return over_epochs(
        lines,
        name,
        "Best tap by the first probe over epochs",
        "accuracy on validation images, %",
        online=True,
    )


def equivariance_curve(run: Gathered, name: str) -> Figure | None:
    """How well the attention maps turn with the image, over epochs."""
    keys = list(
        dict.fromkeys(key for row in run.metrics for key in row if key.startswith("equivariance/"))
    )
    lines = [(key.split("/")[1], run.series(key)) for key in keys]
    return over_epochs(
        lines,
        name,
        "Equivariance of the attention maps over epochs",
        "correlation of turned-back maps",
        percent=False,
    )


def spread_curves(run: Gathered, name: str) -> list[Figure]:
    """How different the embeddings of different images are, over epochs: where a collapse shows."""
    shown = (
        ("std", "Spread of the embeddings over epochs", "standard deviation, 1 for an even spread"),
        ("rank", "Effective rank of the embeddings over epochs", "effective rank"),
        ("cosine", "Cosine of different images over epochs", "mean cosine similarity"),
    )
    figures = (
        over_epochs(
            [(key, run.series(f"spread/{key}"))], f"{name}-{key}", title, label, percent=False
        )
        for key, title, label in shown
    )
    return [figure for figure in figures if figure]


def over_epochs(
    lines: Sequence[Line],
    name: str,
    title: str,
    label: str,
    level: tuple[str, float] | None = None,
    percent: bool = True,
    online: bool = False,
) -> Figure | None:
    """Lines over epochs; None when there is no line with two points, which a table tells better."""
    lines = [(each, points) for each, points in lines if points]
    if not any(len(points) > 1 for _, points in lines):
        return None
    scale, unit = (100.0, " %") if percent else (1.0, "")

    def text(value: float) -> str:
        return f"{scale * value:.1f}{unit}" if percent else f"{value:.2f}"

    figure, axes = new_axes()
    values: dict[str, list[str]] = {}
    for number, (each, points) in enumerate(lines):
        gid, colour = f"line{number}", SERIES[number % len(SERIES)]
        # Where markers would touch each other every point still has one, small, for its value.
        size = 5 if len(points) <= 30 else 2.5
        axes.plot(
            [epoch for epoch, _ in points],
            [scale * value for _, value in points],
            color=colour,
            marker=MARKERS[number % len(MARKERS)],
            markersize=size,
            linewidth=1.8,
            label=plain(each),
            gid=gid,
        )
        values[gid] = [
            f"{each}, {'untrained' if epoch == 0 else f'epoch {epoch}'}: {text(value)}"
            for epoch, value in points
        ]
    if level is not None:
        axes.axhline(
            scale * level[1], color=PALE, linestyle=(0, (4, 3)), linewidth=1, label=level[0]
        )
    axes.set_xlabel("epoch")
    axes.set_ylabel(label)
    axes.xaxis.get_major_locator().set_params(integer=True)
    put_legend(axes, [*(name for name, _ in lines), *([level[0]] if level else [])])
    return to_figure(
        figure, name, title, _words(lines, text, online), values, _table(lines, title, text)
    )


def put_legend(axes: Any, labels: Sequence[str]) -> None:
    """A legend above the axes, in as many columns as fit, where it covers no line and takes no
    width from the axes."""
    from rotkeras.page.figures import INK

    figure = axes.figure
    columns = (
        4
        if max(map(len, labels)) <= 7
        else 3
        if max(map(len, labels)) <= 14
        else 2
        if max(map(len, labels)) <= 26
        else 1
    )
    figure.set_figheight(figure.get_figheight() + 0.17 * -(-len(labels) // columns))
    figure.legend(
        loc="outside upper left",
        ncols=columns,
        fontsize=8.5,
        frameon=False,
        labelcolor=INK,
        columnspacing=1.2,
        borderpad=0.1,
    )


def _words(lines: Sequence[Line], text: Any, online: bool) -> str:
    sentences = [
        f"{name} from {text(points[0][1])} to {text(points[-1][1])} at epoch {points[-1][0]}"
        for name, points in lines
    ]
    tail = (
        " Online numbers: closed-form probes on a part of the labels, validation images alone."
        if online
        else ""
    )
    return f"{'; '.join(sentences)}.{tail}"


def _table(lines: Sequence[Line], title: str, text: Any) -> Table:
    epochs = sorted({epoch for _, points in lines for epoch, _ in points})
    found = [dict(points) for _, points in lines]
    rows = [
        [
            Cell(str(epoch), epoch),
            *(
                Cell(text(points[epoch]), points[epoch]) if epoch in points else None
                for points in found
            ),
        ]
        for epoch in epochs
    ]
    return Table(title, ["epoch", *(name for name, _ in lines)], rows)
