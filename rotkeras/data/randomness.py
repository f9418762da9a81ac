"""Random numbers as a pure function of (seed, epoch, index), so that resume is exact and order is testable.

`tf.random.experimental.index_shuffle` is a keyed pseudorandom permutation: with the image's index as the message it gives
one number per image, whatever the batch size, the number of threads, or how often an iterator was made before.
"""

from typing import Any, NamedTuple

import tensorflow as tf

Tensor = Any
STREAMS = 64
"""Independent random numbers that one image may ask for in one epoch; stream 0 is the order of the images."""

_LARGEST = 2**31 - 1


class Key(NamedTuple):
    """What randomness is a function of.

    Attributes:
        seed: int64 scalar tensor.
        epoch: int64 scalar tensor, 0 for the first.
        index: int64 tensor of shape (B,), the index of each image of the batch in its source part.
    """

    seed: Tensor
    epoch: Tensor
    index: Tensor


def permute(position: Tensor, seed: Tensor, epoch: Tensor, count: int) -> Tensor:
    """The images at the given positions of an epoch's shuffled order, without holding the order in memory.

    Args:
        position: int64 tensor of shape (B,), each in [0, count).
        seed: int64 scalar.
        epoch: int64 scalar.
        count: number of images in the epoch.

    Returns:
        int64 tensor of shape (B,): over all positions a permutation of [0, count).
    """
    return tf.random.experimental.index_shuffle(
        position, tf.stack([seed, epoch * STREAMS]), tf.constant(count - 1, tf.int64)
    )


def integers(key: Key, stream: int, maximum: int) -> Tensor:
    """One integer in [0, maximum) per image.

    Args:
        key: seed, epoch and image indices (B,).
        stream: 1 … 63; two draws that must be independent use two streams.
        maximum: exclusive upper bound, far below 2**31 (the bias is maximum / 2**31).

    Returns:
        int64 tensor of shape (B,).
    """
    seed = tf.stack([key.seed, key.epoch * STREAMS + stream])
    return tf.random.experimental.index_shuffle(key.index, seed, tf.constant(_LARGEST, tf.int64)) % maximum


def uniform(key: Key, stream: int, low: float = 0.0, high: float = 1.0) -> Tensor:
    """One float32 number in [low, high) per image: shape (B,). Arguments as for `integers`."""
    unit = tf.cast(integers(key, stream, 2**24), tf.float32) / 2**24
    return low + unit * (high - low)
