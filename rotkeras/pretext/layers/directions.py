"""Rows that start as random directions."""

from typing import Any

import keras


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
