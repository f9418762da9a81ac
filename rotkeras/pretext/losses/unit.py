"""Vectors of unit length."""

from typing import Any

from keras import ops

Tensor = Any

_LEAST = 1e-24
"""Squared length below which a vector counts as zeros."""


def unit(vectors: Tensor) -> Tensor:
    """Vectors (…, d) divided by their length, in float32; zeros stay zeros."""
    vectors = ops.cast(vectors, "float32")
    squares = ops.sum(ops.square(vectors), axis=-1, keepdims=True)
    # The gradient at zeros would be infinite, or NaN on JAX: a dead predictor gives such vectors.
    return vectors * ops.rsqrt(ops.where(squares > _LEAST, squares, 1.0))
