"""Random numbers as a pure function of (seed, epoch, index), so that resume is exact and order is
testable.

TensorFlow's stateless functions take one seed a call. Here every image of a batch has a key of its
own, and gets the same number in whatever batch, thread or iterator it comes: a hash of the key,
made of whole-batch integer operations. `rotkeras.data.keyed` has the same in NumPy.
"""

from typing import Any

import tensorflow as tf

from rotkeras.data.keyed import Key

Tensor = Any


def mix(*words: Any) -> Tensor:
    """A well-mixed 64-bit hash of integer words, which broadcast against each other.

    Args:
        *words: int64 tensors or Python integers.

    Returns:
        uint64 tensor.

    Reference:
        the finaliser of SplitMix64, Steele, Lea, Flood, Fast Splittable Pseudorandom Number
        Generators, OOPSLA 2014, with the constants of its variant 13 (Stafford); absorbed word by
        word.
    """
    state = tf.constant(0x243F6A8885A308D3, tf.uint64)
    for word in words:
        state = state + tf.bitcast(tf.cast(word, tf.int64), tf.uint64) * tf.constant(
            0x9E3779B97F4A7C15, tf.uint64
        )
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            state = tf.bitwise.bitwise_xor(
                state, tf.bitwise.right_shift(state, tf.constant(shift, tf.uint64))
            )
            state = state * tf.constant(factor, tf.uint64)
        state = tf.bitwise.bitwise_xor(
            state, tf.bitwise.right_shift(state, tf.constant(31, tf.uint64))
        )
    return state


def permute(position: Tensor, seed: Tensor, epoch: Tensor, count: int) -> Tensor:
    """The images at the given positions of an epoch's shuffled order, without holding the order in
    memory.

    Args:
        position: int64 tensor of shape (B,), each in [0, count).
        seed: int64 scalar.
        epoch: int64 scalar.
        count: number of images in the epoch.

    Returns:
        int64 tensor of shape (B,): over all positions a permutation of [0, count).
    """
    # Neighbouring seeds give related permutations in this cipher, so it gets hashed ones, and more
    # rounds than its usual four.
    words = tf.cast(
        mix(seed, epoch, tf.range(3, dtype=tf.int64)) % tf.constant(2**32, tf.uint64), tf.uint32
    )
    return tf.raw_ops.RandomIndexShuffle(
        index=position, seed=words, max_index=tf.constant(count - 1, tf.int64), rounds=8
    )


def integers(key: Key, stream: int, maximum: int) -> Tensor:
    """One integer in [0, maximum) per image.

    Args:
        key: seed, epoch and image indices (B,).
        stream: any number; two draws that must be independent use two streams.
        maximum: exclusive upper bound, far below 2**64 (the bias is maximum / 2**64).

    Returns:
        int64 tensor of shape (B,).
    """
    bits = mix(key.seed, key.epoch, stream, key.index)
    return tf.cast(bits % tf.constant(maximum, tf.uint64), tf.int64)


def uniform(key: Key, stream: int, low: float = 0.0, high: float = 1.0) -> Tensor:
    """One float32 number in [low, high) per image: shape (B,). Arguments as for `integers`."""
    unit = tf.cast(integers(key, stream, 2**24), tf.float32) / 2**24
    return low + unit * (high - low)
