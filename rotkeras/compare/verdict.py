"""Means and differences with intervals, and the result in words."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import Any

from rotkeras.evaluate.intervals import mean_margin, share_margin

Scores = Mapping[str, float]
"""{seed as text: accuracy}."""

LEVEL = 0.05
"""Probability that equal tasks are called different, over all comparisons with the first."""


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


def difference(
    one: Scores, other: Scores, images: int, confidence: float = 1 - LEVEL
) -> Interval | None:
    """One less the other, paired by seed; None without a seed that both have.

    Seeds share the images, so their spread does not contain the variance of the images: it is added
    as if the errors of the two were independent, which overestimates it.
    """
    seeds = _common(one, other)
    if not seeds:
        return None
    mean, margin = mean_margin([one[seed] - other[seed] for seed in seeds], confidence)
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    of_images = [
        share_margin(sum(each[seed] for seed in seeds) / len(seeds), images, z)
        for each in (one, other)
    ]
    return Interval(mean, math.hypot(margin or 0.0, *of_images), len(seeds))


def behind_first(first: Scores, others: Mapping[str, Scores], images: int) -> list[str]:
    """The names of those that are significantly below the first, at a level of 5 % for all of these
    comparisons together.

    Reference:
        Holm, A Simple Sequentially Rejective Multiple Test Procedure, Scandinavian Journal of
        Statistics 6, 1979.
    """
    levels = {
        name: level
        for name, scores in others.items()
        if (level := _least_level(first, scores, images)) is not None
    }
    ordered = sorted(levels, key=lambda name: levels[name])
    kept: list[str] = []
    for number, name in enumerate(ordered):
        if levels[name] * (len(ordered) - number) >= LEVEL:
            break
        kept.append(name)
    return [name for name in others if name in kept]


def _least_level(first: Scores, other: Scores, images: int) -> float | None:
    """The level at which the interval of the difference ends at 0; 1 for no lead, and None where
    seeds in common are too few to say."""
    found = difference(first, other, images)
    if found is None or found.seeds < 2:
        return None
    if found.mean <= 0:
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(40):
        level = (low + high) / 2
        at = difference(first, other, images, 1 - level) if level > 1e-12 else None
        ahead = at is not None and at.mean > at.margin
        low, high = (low, level) if ahead else (level, high)
    return high


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
        return ["No run has finished, so there is nothing to compare."]
    first = _first(there, images)
    others = {name: each for name, each in there.items() if name != first}
    shared = [seed for seed in there[first] if all(seed in each for each in there.values())]
    counted = {seed: there[first][seed] for seed in shared or there[first]}
    reached = f"{interval(counted, images).text()} % by ridge on {where} after {budget}"
    if 0 < len(shared) < len(there[first]):
        reached += f", on the seed{'s' * (len(shared) > 1)} {_listed(shared)} that all have"
    said = [
        _of_others(first, reached, there[first], others, images)
        if others
        else f"{first} reaches {reached}; there is no other {noun} to compare with."
    ]
    return said + _of_missing_seeds(there) + _of_gains(there, untrained, images)


def _first(there: Mapping[str, Scores], images: int) -> str:
    """The one that is ahead of most others, each pair on the seeds that both have; with the same
    seeds for all that is the one with the highest mean."""

    def rank(name: str) -> tuple[int, float]:
        found = [difference(there[name], each, images) for each in there.values()]
        return sum(each is not None and each.mean > 0 for each in found), interval(
            there[name], images
        ).mean

    return max(there, key=rank)


def _of_others(
    first: str, reached: str, scores: Scores, others: Mapping[str, Scores], images: int
) -> str:
    """How far the first is ahead of each, and of whom that is not certain."""
    found = {name: difference(scores, each, images) for name, each in others.items()}
    shown = {
        name: f"{name} ({each.text(sign=True)} points)" for name, each in found.items() if each
    }
    behind = behind_first(scores, others, images)
    one_seed = [name for name, each in found.items() if each and each.seeds < 2]
    apart = [name for name, each in found.items() if each is None]
    close = [name for name in others if name not in (*behind, *one_seed, *apart)]
    ahead = f"ahead of {_listed([shown[name] for name in behind])}" if behind else ""
    tested = len(behind) + len(close)
    if ahead and tested > 1:
        ahead += f" (corrected for {tested} comparisons)"
    if len(behind) == len(others):
        return f"{first} is best: {reached}, {ahead}."
    said = f"{first} has the highest accuracy, {reached}"
    if close:
        said += (
            ", but the seeds and images do not distinguish it from"
            f" {_listed([shown[name] for name in close])}"
            f"{'' if ahead or tested < 2 else f' (corrected for {tested} comparisons)'}"
        )
    said += f". It is {ahead}." if ahead else "."
    if one_seed:
        said += (
            f" It is ahead of {_listed([shown[name] for name in one_seed])} with one seed in"
            " common: the noise of seeds is not known, so this does not decide."
        )
    if apart:
        said += f" It has no seed in common with {_listed(apart)}, so this does not decide."
    return said


def _of_missing_seeds(there: Mapping[str, Scores]) -> list[str]:
    seeds = sorted({seed for each in there.values() for seed in each}, key=int)
    lacking = {
        name: missing
        for name, each in there.items()
        if (missing := [seed for seed in seeds if seed not in each])
    }
    if not lacking:
        return []
    words = [
        f"{name} has no result of seed{'s' * (len(missing) > 1)} {_listed(missing)}"
        for name, missing in lacking.items()
    ]
    return [f"{_listed(words)}: differences are of the seeds that both have."]


def _of_gains(
    there: Mapping[str, Scores], untrained: Mapping[str, Scores], images: int
) -> list[str]:
    """Who is not better than an untrained network, and of whom that cannot be said."""
    gains = {
        name: difference(each, untrained.get(name, {}), images) for name, each in there.items()
    }
    useless = [name for name, gain in gains.items() if gain and gain.mean <= gain.margin]
    unknown = [name for name, gain in gains.items() if gain is None]
    said = []
    if useless:
        said.append(
            f"{_listed(useless)} {'are' if len(useless) > 1 else 'is'} not better than an untrained"
            " network by more than the interval: train longer."
        )
    if unknown:
        said.append(f"There is no untrained network to compare {_listed(unknown)} with.")
    return said


def _common(one: Scores, other: Scores) -> list[str]:
    return [seed for seed in one if seed in other]


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
