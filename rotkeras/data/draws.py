"""Random integers of a batch as one array, in NumPy or in TensorFlow's graph, whichever the key is of."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from rotkeras.data import keyed
from rotkeras.data.keyed import Key


def integers(key: Key, stream: int, maximum: int) -> Any:
    """One integer in [0, maximum) per image, int64 (B,): an array for a key of NumPy numbers, else a tensor of the same numbers."""
    if isinstance(key.index, np.ndarray):
        return keyed.integers(key, stream, maximum)
    from rotkeras.data import randomness

    return randomness.integers(key, stream, maximum)


def draw(key: Key, *streams: tuple[int, int]) -> Any:
    """Integers for what is made inside the step: int32 (B, D), a column in [0, maximum) for each (stream, maximum)."""
    return columns(key, [integers(key, stream, maximum) for stream, maximum in streams])


def columns(key: Key, values: Sequence[Any]) -> Any:
    """The given integers, each (B,) or one for all images, as columns: int32 (B, D)."""
    if isinstance(key.index, np.ndarray):
        made = np.empty((len(key.index), len(values)), np.int32)
        for column, value in enumerate(values):
            made[:, column] = value
        return made
    import tensorflow as tf

    count = tf.shape(key.index)[0]
    if not values:
        return tf.zeros([count, 0], tf.int32)
    made = tf.stack([tf.broadcast_to(tf.cast(value, tf.int32), [count]) for value in values], axis=1)
    return tf.ensure_shape(made, (key.index.shape[0], len(values)))
