"""Means and their intervals, of 95 % where nothing else is asked for."""

import math
from collections.abc import Sequence

from rotkeras.probes.choice import wilson_margin as share_margin

__all__ = ["mean_margin", "share_margin", "student"]


def student(degrees: int, confidence: float = 0.95) -> float:
    """The two-sided quantile of Student's t: |t| is below it with this probability.

    Args:
        degrees: of freedom, at least 1.
        confidence: in 0 … 1.

    Reference:
        Abramowitz, Stegun, Handbook of Mathematical Functions, 1964, equations 26.7.3 and 26.7.4:
        finite sums, which need no scipy.
    """
    low, high = 0.0, math.pi / 2
    for _ in range(60):
        angle = (low + high) / 2
        low, high = (angle, high) if _inside(angle, degrees) < confidence else (low, angle)
    return math.sqrt(degrees) * math.tan((low + high) / 2)


def _inside(angle: float, degrees: int) -> float:
    """The probability that |t| is below √degrees · tan(angle)."""
    sine, cosine = math.sin(angle), math.cos(angle)
    odd = degrees % 2
    term = cosine if odd else 1.0
    total = 0.0
    for factor in range(1 + odd, degrees, 2):
        total += term
        term *= cosine * cosine * factor / (factor + 1)
    return 2 / math.pi * (angle + sine * total) if odd else sine * total


def mean_margin(values: Sequence[float], confidence: float = 0.95) -> tuple[float, float | None]:
    """Mean and half of its interval over seeds (Student's t); None for the margin of a single
    value."""
    mean = sum(values) / len(values)
    if len(values) < 2:
        return mean, None
    deviation = math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))
    return mean, student(len(values) - 1, confidence) * deviation / math.sqrt(len(values))
