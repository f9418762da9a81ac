"""Intervals of scores by drawing images anew, for numbers that are no mean over images."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Positions = NDArray[np.int64]
DRAWS = 300


def interval(
    measure: Callable[[Positions], float], images: int, draws: int = DRAWS, seed: int = 0
) -> tuple[float, float]:
    """The 95 % interval of a score, by the percentiles of draws with replacement.

    Args:
        measure: the score, or a difference of two, of the images at some positions, (n,), which
            may repeat.
        images: n.
        draws: how many.
        seed: of the draws; two scores by one seed are paired.

    Reference:
        Efron and Tibshirani, An Introduction to the Bootstrap, 1993, section 13.3.
    """
    random = np.random.default_rng(seed)
    values = [measure(random.integers(0, images, images)) for _ in range(draws)]
    low, high = np.percentile(values, (2.5, 97.5))
    return float(low), float(high)
