"""Random integers of a batch as one array, in NumPy or in TensorFlow's graph, whichever the key is
of."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from rotkeras.data import keyed
from rotkeras.data.keyed import Key


def draw(key: Key, *streams: tuple[int, int]) -> Any:
    """One integer per image for each (stream, maximum): int32 (B, D), a column in [0, maximum) for
    each.

    The numbers are those of `randomness.integers`, stream by stream. One hash of all costs a third
    of three: of a batch of a few hundred integers it is the calls that cost.
    """
    numbers = np.array([stream for stream, _ in streams], np.int64)
    maxima = np.array([maximum for _, maximum in streams], np.uint64)
    if isinstance(key.index, np.ndarray):
        return (keyed.mix(key.seed, key.epoch, numbers, key.index[:, None]) % maxima).astype(
            np.int32
        )
    import tensorflow as tf

    from rotkeras.data import randomness

    if not streams:
        return columns(key, [])
    bits = randomness.mix(key.seed, key.epoch, tf.constant(numbers), key.index[:, None])
    return tf.ensure_shape(
        tf.cast(bits % tf.constant(maxima), tf.int32), (key.index.shape[0], len(streams))
    )


def columns(key: Key, values: Sequence[int]) -> Any:
    """The same integers for every image: int32 (B, D)."""
    if isinstance(key.index, np.ndarray):
        return np.tile(np.asarray(values, np.int32), (len(key.index), 1))
    import tensorflow as tf

    made = tf.tile(tf.constant(values, tf.int32, (1, len(values))), [tf.shape(key.index)[0], 1])
    return tf.ensure_shape(made, (key.index.shape[0], len(values)))
