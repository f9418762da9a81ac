"""What the measures share: checked float64 arrays, unit vectors, the rank of a spectrum."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rotkeras.errors import UserError, must

Wide = NDArray[np.float64]

_EPSILON = 1e-7
_NOTHING = 1e-12
"""Shorter vectors have no direction, and are left as they are."""


def at_least(count: int, what: str, values: NDArray[Any], name: str, axis: int = 0) -> Wide:
    """The values as float64.

    Raises:
        UserError: for fewer than `count` along an axis, no dimension, and numbers that are not
            finite.
    """
    if values.shape[axis] < count:
        raise must(name, f"have at least {count} {what}{'s' if count > 1 else ''}", values)
    if values.shape[-1] < 1:
        raise must(name, "have at least one dimension", values)
    wide = np.asarray(values, np.float64)
    if bad := int(wide.size - np.isfinite(wide).sum()):
        raise UserError(
            f"{name} must be finite, got {bad:,} of {wide.size:,} numbers that are NaN or infinite;"
            " look for a loss that diverged."
        )
    return wide


def unit(vectors: Wide) -> Wide:
    """Vectors divided by their length, along the last axis; those without a length stay zero."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.where(lengths > _NOTHING, vectors / np.maximum(lengths, _NOTHING), 0.0)


def smooth_rank(spectrum: NDArray[Any]) -> float:
    """exp(−Σ_k p_k log p_k) with p_k = s_k / Σ s + 1e-7, of a spectrum s ≥ 0; 0.0 if all of it is
    zero."""
    total = spectrum.sum()
    if total <= 0:
        return 0.0
    shares = spectrum / total + _EPSILON
    return float(np.exp(-np.sum(shares * np.log(shares))))
