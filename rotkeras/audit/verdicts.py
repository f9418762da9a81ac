"""Whether a predictor tells so much of a task that it is a shortcut."""

from dataclasses import replace

from rotkeras.audit import limits
from rotkeras.audit.shortcuts import ShortcutResult
from rotkeras.pretext.shortcut_views import ROTATION

_FOUR = 0.25
"""Chance of the four angles for which the limits of rotation were measured."""


def is_shortcut(result: ShortcutResult) -> bool:
    """Whether the near ends of a predictor's intervals are beyond its limits."""
    if result.kind != ROTATION:
        return _beyond(result)
    if result.chance != _FOUR:
        result = _as_of_four(result)
    accuracy = result.accuracy - result.margin
    excess = _near_excess(result)
    if result.name in limits.EXCESS:
        return (
            accuracy > limits.SHORTCUT_ACCURACY[result.name]
            and excess is not None
            and excess > limits.EXCESS[result.name]
        )
    if result.name == "residue" and excess is not None:
        least, beyond = limits.RESIDUE_TOLD_AND_EXCESS
        if accuracy > least and excess > beyond:
            return True
    return accuracy > limits.SHORTCUT_ACCURACY[result.name]


def skill(value: float, chance: float) -> float:
    """What is told of all that chance does not: 0 at chance, 1 for everything."""
    return (value - chance) / (1 - chance)


def _beyond(result: ShortcutResult) -> bool:
    """Of any task: limits are of skill, so that they do not depend on the number of classes."""
    told, beyond = limits.OF_TASKS[result.kind][result.name]
    if skill(result.accuracy - result.margin, result.chance) <= told:
        return False
    excess = _near_excess(result)
    if beyond is None or excess is None:
        return True
    return excess / (1 - result.chance) > beyond


def _near_excess(result: ShortcutResult) -> float | None:
    if result.excess is None or result.excess_margin is None:
        return None
    return result.excess - result.excess_margin


def _as_of_four(result: ShortcutResult) -> ShortcutResult:
    """The same skill among four angles."""
    scale = (1 - _FOUR) / (1 - result.chance)
    excess, margin = result.excess, result.excess_margin
    return replace(
        result,
        accuracy=_FOUR + scale * (result.accuracy - result.chance),
        margin=scale * result.margin,
        excess=None if excess is None else scale * excess,
        excess_margin=None if margin is None else scale * margin,
        chance=_FOUR,
    )
