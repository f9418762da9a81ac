"""Means and 95 % intervals."""

import math
from collections.abc import Sequence

from rotkeras.probes.choice import wilson_margin as share_margin

__all__ = ["mean_margin", "share_margin", "t95"]

# Two-sided 95 % quantiles of Student's t for 1 … 30 degrees of freedom; scipy's, without importing
# it to print a table.
_T95 = (
    12.706,
    4.303,
    3.182,
    2.776,
    2.571,
    2.447,
    2.365,
    2.306,
    2.262,
    2.228,
    2.201,
    2.179,
    2.160,
    2.145,
    2.131,
    2.120,
    2.110,
    2.101,
    2.093,
    2.086,
    2.080,
    2.074,
    2.069,
    2.064,
    2.060,
    2.056,
    2.052,
    2.048,
    2.045,
    2.042,
)


def t95(degrees: int) -> float:
    """The two-sided 95 % quantile of Student's t; beyond 30 degrees of freedom by its expansion, to
    0.001."""
    return _T95[degrees - 1] if degrees <= len(_T95) else 1.96 + 2.37 / degrees + 2.8 / degrees**2


def mean_margin(values: Sequence[float]) -> tuple[float, float | None]:
    """Mean and half of its 95 % interval over seeds (Student's t); None for the margin of a single
    value."""
    mean = sum(values) / len(values)
    if len(values) < 2:
        return mean, None
    deviation = math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))
    return mean, t95(len(values) - 1) * deviation / math.sqrt(len(values))
