"""Do measures without labels rank taps, epochs and runs as the ridge probe does?

    python benchmarks/label_free_quality.py RUN RUN …

Each RUN is a folder of `rotkeras train` on labelled images, whose metrics.jsonl has
`probe/<tap>/ridge` and `quality/<tap>/<measure>` in the same epochs: set probe.every_epochs and
quality.every_epochs to 1. Prints two Markdown tables: Spearman rank correlations with ridge
accuracy, and the accuracy of the tap that each measure would choose.

A measure counts as it should rank: alpha_req as −|α − 1|, uniformity and alignment negated, so a
good measure has a correlation near 1. A correlation needs three values that are not all equal. The
interval holds 95 % of 2,000 bootstrap samples, each of as many runs drawn from the runs with
replacement: taps and epochs of one run do not vary independently. For correlations over runs they
are drawn within each data set.
"""

import json
import sys
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

SAMPLES, LEAST = 2000, 3

GOODNESS: dict[str, Callable[[float], float]] = {
    "rankme": lambda value: value,
    "alpha_req": lambda value: -abs(value - 1),
    "lidar": lambda value: value,
    "uniformity": lambda value: -value,
    "alignment": lambda value: -value,
}
"""What is higher for features that the measure calls better."""


@dataclass(frozen=True)
class Point:
    """One tap of one run after one epoch.

    Attributes:
        run: number of the run.
        images: the data set.
        epoch: counted from 1.
        tap, depth: its name, and its position from the input, from 0.
        ridge: accuracy, 0 … 1.
        goodness: {measure: value}, without those that have none.
    """

    run: int
    images: str
    epoch: int
    tap: str
    depth: int
    ridge: float
    goodness: dict[str, float]


def read(folder: Path, number: int) -> list[Point]:
    """The points of a run, of epochs that have both; a `SystemExit` where there are none."""
    try:
        lines = (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
        summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
        rows: list[dict[str, Any]] = [json.loads(line) for line in lines]
    except (OSError, ValueError) as error:
        raise SystemExit(f"{folder} is no finished run ({error}).") from None
    points = []
    for row in rows:
        taps = [
            key.split("/")[1] for key in row if key.startswith("probe/") and key.endswith("/ridge")
        ]
        for depth, tap in enumerate(taps):
            values = {name: row.get(f"quality/{tap}/{name}") for name in GOODNESS}
            found = {key: GOODNESS[key](each) for key, each in values.items() if each is not None}
            if found:
                ridge = row[f"probe/{tap}/ridge"]
                points.append(
                    Point(number, summary["source"], row["epoch"], tap, depth, ridge, found)
                )
    if not points:
        raise SystemExit(
            f"{folder} has no epoch with ridge accuracy and measures without labels; train with"
            " labels, probe.every_epochs=1 and quality.every_epochs=1."
        )
    return points


def spearman(one: Sequence[float], other: Sequence[float]) -> float | None:
    """The rank correlation, ties sharing their mean rank; None for fewer than three values, and
    where all of one are equal."""
    if len(one) < LEAST:
        return None
    ranks = rankdata(one) - (len(one) + 1) / 2, rankdata(other) - (len(one) + 1) / 2
    scale = np.sqrt(np.sum(ranks[0] ** 2) * np.sum(ranks[1] ** 2))
    return float(np.sum(ranks[0] * ranks[1]) / scale) if scale else None


def grouped(points: Iterable[Point], key: Callable[[Point], Hashable]) -> list[list[Point]]:
    """Points of one key together, in the order in which they come."""
    found: dict[Hashable, list[Point]] = {}
    for point in points:
        found.setdefault(key(point), []).append(point)
    return list(found.values())


def correlations(groups: Iterable[Sequence[Point]], measure: str) -> list[tuple[int, float]]:
    """(run of the first point, correlation) of each group that has one."""
    found = []
    for group in groups:
        there = [point for point in group if measure in point.goodness]
        value = spearman(
            [point.goodness[measure] for point in there], [point.ridge for point in there]
        )
        if value is not None:
            found.append((group[0].run, value))
    return found


def last_epochs(points: Sequence[Point]) -> list[Point]:
    """The points of each run's last epoch."""
    last = {
        point.run: max(each.epoch for each in points if each.run == point.run) for point in points
    }
    return [point for point in points if point.epoch == last[point.run]]


def interval(samples: Sequence[float]) -> tuple[float, float] | None:
    """The middle 95 % of bootstrap samples; None where fewer than half could be computed."""
    if len(samples) < SAMPLES / 2:
        return None
    low, high = np.percentile(samples, [2.5, 97.5])
    return float(low), float(high)


def by_run(values: Sequence[tuple[int, float]]) -> tuple[float, float] | None:
    """The interval of the mean of (run, value), over runs; None for fewer than two runs."""
    runs = sorted({run for run, _ in values})
    if len(runs) < 2:
        return None
    sums = np.array([sum(value for run, value in values if run == each) for each in runs])
    counts = np.array([sum(run == each for run, _ in values) for each in runs])
    drawn = draws(len(runs))
    return interval((sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)).tolist())


def draws(count: int, stream: int = 0) -> NDArray[np.int64]:
    """Bootstrap samples of so many positions: int64 (samples, count), a function of both."""
    return np.random.default_rng([count, stream]).integers(0, count, (SAMPLES, count))


def over_runs(points: Sequence[Point], measure: str) -> tuple[list[float], Any]:
    """(correlations over the runs of each data set and tap at their last epochs, interval)."""
    groups = grouped(last_epochs(points), lambda each: (each.images, each.tap))
    values = [value for _, value in correlations(groups, measure)]
    names = sorted({point.images for point in points})
    runs = {name: sorted({each.run for each in points if each.images == name}) for name in names}
    drawn = {name: draws(len(runs[name]), number) for number, name in enumerate(names)}
    samples = []
    for sample in range(SAMPLES if values else 0):
        found = []
        for group in groups:
            there = {each.run: each for each in group if measure in each.goodness}
            name = group[0].images
            chosen = [runs[name][at] for at in drawn[name][sample]]
            picked = [there[run] for run in chosen if run in there]
            value = spearman([each.goodness[measure] for each in picked], [p.ridge for p in picked])
            found += [] if value is None else [value]
        samples += [float(np.mean(found))] if found else []
    return values, interval(samples)


def chosen_accuracies(points: Sequence[Point]) -> dict[str, list[tuple[int, float]]]:
    """{choice: (run, ridge accuracy of the chosen tap)} at the last epochs; a measure without a
    value in a run chooses nothing there."""
    found: dict[str, list[tuple[int, float]]] = {
        name: [] for name in ("first tap", "second tap", "last tap", *GOODNESS, "best tap (oracle)")
    }
    for group in grouped(last_epochs(points), lambda each: each.run):
        taps = sorted(group, key=lambda each: each.depth)
        run = taps[0].run
        found["first tap"].append((run, taps[0].ridge))
        found["second tap"].append((run, taps[min(1, len(taps) - 1)].ridge))
        found["last tap"].append((run, taps[-1].ridge))
        found["best tap (oracle)"].append((run, max(each.ridge for each in taps)))
        for name in GOODNESS:
            if there := [each for each in taps if name in each.goodness]:
                best = max(there, key=lambda each: each.goodness[name])
                found[name].append((run, best.ridge))
    return found


def tables(points: Sequence[Point]) -> str:
    """Both tables as Markdown."""
    rows = []
    for measure in GOODNESS:
        taps = correlations(grouped(points, lambda each: (each.run, each.epoch)), measure)
        epochs = correlations(grouped(points, lambda each: (each.run, each.tap)), measure)
        runs, of_runs = over_runs(points, measure)
        rows.append(
            [
                measure,
                shown([value for _, value in taps], by_run(taps)),
                shown([value for _, value in epochs], by_run(epochs)),
                shown(runs, of_runs),
            ]
        )
    accuracies = chosen_accuracies(points)
    second = dict(accuracies["second tap"])
    choices = []
    for name, values in accuracies.items():
        gains = [(run, 100 * (value - second[run])) for run, value in values]
        mean = f"{100 * np.mean([value for _, value in values]):.1f}" if values else "–"
        gain = shown([value for _, value in gains], by_run(gains), digits=1, what="runs")
        choices.append([name, mean, gain])
    count = len({point.run for point in points})
    return "\n\n".join(
        [
            f"Spearman correlation with ridge accuracy, {count} runs:"
            " mean [95 % interval] (groups)",
            markdown(["measure", "over taps", "over epochs", "over runs"], rows),
            "Ridge accuracy in % of the tap that is chosen after the last epoch, and its difference"
            " from that of the second tap in percentage points",
            markdown(["choice", "accuracy", "difference"], choices),
        ]
    )


def shown(
    values: Sequence[float],
    bounds: tuple[float, float] | None,
    digits: int = 2,
    what: str = "groups",
) -> str:
    """A mean with its interval and number of groups."""
    if not values:
        return f"– (0 {what})"
    around = f" [{bounds[0]:.{digits}f}, {bounds[1]:.{digits}f}]" if bounds else ""
    return f"{np.mean(values):.{digits}f}{around} ({len(values)} {what})"


def markdown(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    """See above."""
    folders = [Path(argument) for argument in sys.argv[1:]]
    if not folders or "--help" in sys.argv:
        raise SystemExit(__doc__)
    print(tables([point for number, each in enumerate(folders) for point in read(each, number)]))


if __name__ == "__main__":
    main()
