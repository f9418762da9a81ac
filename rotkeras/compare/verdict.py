"""Means and differences with intervals, and the result in words."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rotkeras.evaluate.intervals import mean_margin, share_margin

Scores = Mapping[str, float]
"""{seed as text: accuracy}."""


@dataclass(frozen=True)
class Interval:
    """A mean over seeds with half of its 95 % interval.

    Attributes:
        mean: in 0 … 1; a difference in −1 … 1.
        margin: over seeds (Student's t) and images together; with one seed of the images alone.
        seeds: how many.
    """

    mean: float
    margin: float
    seeds: int

    @property
    def significant(self) -> bool:
        """Whether the interval excludes 0 and says something on seeds."""
        return self.seeds > 1 and abs(self.mean) > self.margin

    def text(self, sign: bool = False) -> str:
        """In percentage points: "58.3 ± 1.2"."""
        mean = round(100 * self.mean, 1) + 0.0
        return f"{mean:{'+' if sign else ''}.1f} ± {100 * self.margin:.1f}"

    def record(self) -> dict[str, Any]:
        """For `results.json`."""
        return asdict(self)


def interval(scores: Scores, images: int) -> Interval:
    """The mean of accuracies of several seeds.

    Args:
        scores: one at least.
        images: that each was measured on; the same for all.
    """
    mean, margin = mean_margin(list(scores.values()))
    return Interval(mean, math.hypot(margin or 0.0, share_margin(mean, images)), len(scores))


def difference(one: Scores, other: Scores, images: int) -> Interval | None:
    """One less the other, paired by seed; None without a seed that both have.

    Seeds share the images, so their spread does not contain the variance of the images: it is added
    as if the errors of the two were independent, which overestimates it.
    """
    seeds = [seed for seed in one if seed in other]
    if not seeds:
        return None
    mean, margin = mean_margin([one[seed] - other[seed] for seed in seeds])
    of_images = [
        share_margin(sum(each[seed] for seed in seeds) / len(seeds), images)
        for each in (one, other)
    ]
    return Interval(mean, math.hypot(margin or 0.0, *of_images), len(seeds))


def sentences(
    scores: Mapping[str, Scores],
    untrained: Mapping[str, Scores],
    images: int,
    where: str,
    budget: str,
    noun: str,
) -> list[str]:
    """The verdict.

    Args:
        scores: {name: accuracies by ridge at the chosen tap}.
        untrained: {name: those of the untrained network of its backbone}.
        images: that they were measured on.
        where: "the 10,000 test images of cifar10".
        budget: in words.
        noun: what is compared: "task" or "backbone".
    """
    there = {name: each for name, each in scores.items() if each}
    if not there:
        return ["No run has ended well, so there is nothing to compare."]
    ranked = sorted(there, key=lambda name: -interval(there[name], images).mean)
    first, others = ranked[0], ranked[1:]
    best = interval(there[first], images)
    said = []
    one_seed = max(len(each) for each in there.values()) < 2
    if not others:
        said.append(
            f"{first} reaches {best.text()} % by ridge on {where} after {budget}; there is no other"
            f" {noun} to compare with."
        )
    else:
        found = {name: difference(there[first], there[name], images) for name in others}
        behind = [name for name in others if (each := found[name]) and each.significant]
        close = [name for name in others if name not in behind]
        shown = [f"{name} ({_points(found[name])})" for name in behind]
        if not close:
            said.append(
                f"{first} is best: {best.text()} % by ridge on {where} after {budget}, ahead of"
                f" {_listed(shown)} points."
            )
        elif one_seed:
            tail = _listed([f"{name} ({_points(found[name])})" for name in close])
            said.append(
                f"{first} has the highest accuracy, {best.text()} % by ridge on {where} after"
                f" {budget}, ahead of {tail} points; with one seed the noise of seeds is not known,"
                " so this does not decide."
            )
        else:
            tail = _listed([f"{name} ({_points(found[name])} points)" for name in close])
            ahead = f" It is ahead of {_listed(shown)} points." if behind else ""
            said.append(
                f"{first} has the highest accuracy, {best.text()} % by ridge on {where} after"
                f" {budget}, but the seeds and images do not distinguish it from {tail}.{ahead}"
            )
    if useless := [name for name in ranked if not _gains(there[name], untrained.get(name), images)]:
        plural = len(useless) > 1
        said.append(
            f"{_listed(useless)} {'are' if plural else 'is'} not better than an untrained network"
            f" by more than the interval: train longer."
        )
    return said


def _gains(scores: Scores, untrained: Scores | None, images: int) -> bool:
    """Whether a gain over the untrained network is not in doubt, as far as one can say."""
    if not untrained or (gain := difference(scores, untrained, images)) is None:
        return True
    return gain.mean > gain.margin


def _points(found: Interval | None) -> str:
    return "no seed in common" if found is None else found.text(sign=True)


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
