"""Rows that start as random directions."""

from typing import Any

import keras

from rotkeras.errors import must


def add_directions(
    layer: keras.layers.Layer, rows: int, dimensions: int, seed: int, name: str
) -> Any:
    """Add a weight of random rows of unit length, float32 (rows, dimensions), to a layer.

    It has no gradient, and every replica of a strategy writes the same into it.
    """
    weight = layer.add_weight(
        (rows, dimensions),
        keras.initializers.RandomNormal(1.0, seed=seed),
        trainable=False,
        dtype="float32",
        aggregation="only_first_replica",
        name=name,
    )
    weight.assign(keras.ops.normalize(weight.value, axis=1))
    return weight


def check_count(name: str, value: Any) -> None:
    """Raise a `UserError` for a number below 1. (Keras reads the signatures of layers, so that they
    cannot be wrapped by `checked`.)"""
    if not isinstance(value, int) or value < 1:
        raise must(name, "be a whole number of at least 1", value)


def check_share(name: str, value: Any) -> None:
    """Raise a `UserError` for a number outside 0 … 1."""
    if not isinstance(value, int | float) or not 0 <= value <= 1:
        raise must(name, "be from 0 to 1", value)
