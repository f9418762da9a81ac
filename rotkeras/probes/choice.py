"""Which tap is best, and whether the images can tell."""

import math
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Choice:
    """A tap chosen by its accuracy.

    Attributes:
        tap: its name.
        accuracy: of this tap, 0 … 1.
        rivals: taps, this one among them, that are no worse than the best by more than half of its
            95 % interval; one name where the best stands alone.
        arbitrary: whether these are all taps there are: then the images do not tell.
        margin: half of the 95 % interval of the best accuracy.
    """

    tap: str
    accuracy: float
    rivals: tuple[str, ...]
    arbitrary: bool
    margin: float


def choose(accuracies: Mapping[str, float], images: int | None, default: str) -> Choice:
    """The tap with the best accuracy; where all taps are within its 95 % interval, `default`.

    Args:
        accuracies: {tap: accuracy on the same validation images}.
        images: how many validation images there were; None for a number that is not known, and then
            the best is taken, in a tie the default if it is among the best.
        default: the tap to take where the images do not tell: the second, which is best in table 1
            of Gidaris et al., ICLR 2018.
    """
    best = max(accuracies.values())
    margin = wilson_margin(best, images) if images else 0.0
    rivals = tuple(tap for tap, each in accuracies.items() if each >= best - margin)
    arbitrary = len(accuracies) > 1 and len(rivals) == len(accuracies)
    leaders = [tap for tap, each in accuracies.items() if each == best]
    tap = default if (arbitrary or default in leaders) and default in rivals else leaders[0]
    return Choice(tap, float(accuracies[tap]), rivals, arbitrary, margin)


def wilson_margin(share: float, count: int) -> float:
    """Half of the 95 % interval of a share of `count` images.

    Reference: Wilson, Probable Inference, the Law of Succession, and Statistical Inference, JASA,
    vol. 22, 1927.
    """
    z = 1.96
    inside = share * (1 - share) / count + z * z / (4 * count * count)
    return z / (1 + z * z / count) * math.sqrt(inside)
