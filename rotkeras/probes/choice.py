"""Which tap is best, and whether the validation images can decide it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.05
"""Significance level of the comparisons."""


@dataclass(frozen=True)
class Choice:
    """A tap chosen by its accuracy on validation images.

    Attributes:
        tap: its name.
        accuracy: of this tap, 0 … 1.
        rivals: the taps whose accuracy does not differ significantly from the highest, this one
            among them, in the order of the network; a single name where the best tap is certain.
        images: number of validation images, or None if it is not known.
        by: "accuracy", or "default" where the default tap was taken because it is a rival of the
            tap with the highest accuracy.
    """

    tap: str
    accuracy: float
    rivals: tuple[str, ...]
    images: int | None
    by: str

    @property
    def arbitrary(self) -> bool:
        """Whether other taps might be as good or better."""
        return len(self.rivals) > 1

    def record(self) -> dict[str, Any]:
        """What `summary.json` and `verify.json` keep of it, beside tap and accuracy."""
        return {
            "images": self.images,
            "rivals": list(self.rivals),
            "arbitrary": self.arbitrary,
            "by": self.by,
        }


def choose(
    accuracies: Mapping[str, float],
    images: int | None = None,
    default: str | None = None,
    correct: Mapping[str, NDArray[np.bool_]] | None = None,
) -> Choice:
    """The tap with the highest accuracy; `default` where it does not differ significantly from it.

    Args:
        accuracies: {tap: accuracy on the same validation images}.
        images: number of validation images; None if it is not known, and then only equal
            accuracies are rivals.
        default: the tap to take among rivals: the second, which is best in table 1 of Gidaris et
            al., ICLR 2018.
        correct: {tap: bool (images,)}, whether each validation image was classified correctly.
            Taps are then compared image by image, by an exact sign test of those that one tap
            classifies correctly and the other does not, at a level of 5 % for all pairs together
            (Bonferroni). Without it, rivals are within half of the 95 % interval of the highest
            accuracy.
    """
    best = max(accuracies.values())
    leaders = [tap for tap, each in accuracies.items() if each == best]
    leader = default if default in leaders else leaders[0]
    assert leader is not None
    if correct is not None:
        images = len(correct[leader])
    level = LEVEL / max(1, math.comb(len(accuracies), 2))
    if correct is not None:
        close = {tap: sign_test(*_differences(correct, leader, tap)) > level for tap in accuracies}
    else:
        margin = wilson_margin(best, images) if images else 0.0
        close = {tap: each >= best - margin for tap, each in accuracies.items()}
    rivals = tuple(tap for tap in accuracies if close[tap])
    by_default = len(rivals) > 1 and default in rivals
    tap = default if by_default and default is not None else leader
    by = "default" if by_default else "accuracy"
    return Choice(tap, float(accuracies[tap]), rivals, images, by)


def describe(tap: str, record: Mapping[str, Any]) -> str:
    """Sentences on a choice that the validation images do not decide, from `Choice.record`; ""
    where they decide it, and for a run of an earlier version."""
    if not record.get("arbitrary"):
        return ""
    others = [each for each in record["rivals"] if each != tap]
    names = f"{', '.join(others[:-1])} and {others[-1]}" if len(others) > 1 else others[0]
    images = f"{record['images']:,} validation images" if record.get("images") else "validation"
    reason = (
        "It is taken because it is the default, the second tap."
        if record.get("by") == "default"
        else "It is taken because its accuracy is the highest."
    )
    return (
        f"The choice of tap {tap} is arbitrary: on {images} its accuracy does not differ"
        f" significantly from that of {names}. {reason} Use more validation images to decide."
    )


def sign_test(first: int, second: int) -> float:
    """Two-sided p-value of a sign test: `first` images that only one classifier has correct, and
    `second` that only the other has. Exact up to 1,000 images, then by the normal distribution."""
    count, fewer = first + second, min(first, second)
    if count > 1000:
        return math.erfc((abs(first - second) - 1) / math.sqrt(2 * count))
    return float(min(1, 2 * sum(math.comb(count, each) for each in range(fewer + 1)) / 2**count))


def wilson_margin(share: float, count: int, z: float = 1.96) -> float:
    """Half of the interval of a share of `count` images; above 0 at 0 % and at 100 % too.

    Args:
        share: in 0 … 1.
        count: of images.
        z: the two-sided quantile of the normal distribution; 1.96 for 95 %.

    Reference: Wilson, Probable Inference, the Law of Succession, and Statistical Inference, JASA,
        vol. 22, 1927.
    """
    inside = share * (1 - share) / count + z * z / (4 * count * count)
    return z / (1 + z * z / count) * math.sqrt(inside)


def _differences(correct: Mapping[str, NDArray[np.bool_]], one: str, other: str) -> tuple[int, int]:
    first, second = correct[one], correct[other]
    return int((first & ~second).sum()), int((~first & second).sum())
