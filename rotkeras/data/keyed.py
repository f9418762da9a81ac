"""Random numbers as a pure function of (seed, epoch, index), in NumPy.

`rotkeras.data.randomness` has the same for TensorFlow's graphs; both give the same bits, so a batch
does not depend on which of the two made it.
"""

import threading
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]


class Key(NamedTuple):
    """What randomness is a function of: NumPy numbers, or tensors where TensorFlow's graph makes
    the batch.

    Attributes:
        seed: int64 scalar.
        epoch: int64 scalar, 0 for the first.
        index: int64 (B,), the stable index of each image of the batch (`Images.rows`).
        position: int64 (B,), where each image lies in its part, 0 … N − 1, for tasks that keep
            something for each image; None where no part is meant. Nothing random depends on it.
    """

    seed: Any
    epoch: Any
    index: Any
    position: Any = None


def mix(*words: Any) -> Words:
    """A well-mixed 64-bit hash of integer words, which broadcast against each other:
    `rotkeras.data.randomness.mix` in NumPy."""
    state: Any = np.uint64(0x243F6A8885A308D3)
    with np.errstate(over="ignore"):  # arithmetic modulo 2**64 is meant
        for word in words:
            state = state + np.asarray(word, np.int64).astype(np.uint64) * np.uint64(
                0x9E3779B97F4A7C15
            )
            for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
                state = (state ^ (state >> np.uint64(shift))) * np.uint64(factor)
            state = state ^ (state >> np.uint64(31))
    return np.asarray(state)


_ORDERS = threading.Lock()
_ROUNDS = 8
_SMALLEST_BLOCK = 16
_SEQUENCE = 0x7369F885192C0EF5


def permute(position: NDArray[np.int64], seed: int, epoch: int, count: int) -> NDArray[np.int64]:
    """The images at the given positions of an epoch's shuffled order: int64 (B,), as
    `rotkeras.data.randomness.permute` gives them.

    A block cipher over the smallest even number of bits (16 at least) that holds all positions; a
    result outside is enciphered again until it falls inside, which keeps it a permutation.

    Reference:
        Beaulieu et al., The SIMON and SPECK Families of Lightweight Block Ciphers, 2013, with the
        three-word key schedule that TensorFlow's RandomIndexShuffle uses.
    """
    if count == 1:
        return np.zeros(np.shape(position), np.int64)
    half = _half_bits(count - 1)
    if 2 * half == _SMALLEST_BLOCK:
        with _ORDERS:  # threads that make batches of one epoch would each compute its order
            return _small_order(int(seed), int(epoch), count)[position]
    keys = _round_keys(seed, epoch, half)
    found = np.asarray(position, np.int64).astype(np.uint64)
    outside = np.ones(found.shape, bool)
    while outside.any():
        found[outside] = _encipher(found[outside], keys, half)
        outside = found > np.uint64(count - 1)
    return found.astype(np.int64)


def _half_bits(largest: int) -> int:
    bits = max(
        _SMALLEST_BLOCK, (int(largest) - 1).bit_length()
    )  # ceil(log2(largest)), as the kernel counts them
    return (bits + bits % 2) // 2


@lru_cache(maxsize=4)
def _small_order(seed: int, epoch: int, count: int) -> NDArray[np.int64]:
    """The whole order of few images, int64 (count,): walked one by one, two images of 65,536 would
    take ten thousands of steps."""
    half = _SMALLEST_BLOCK // 2
    everything = np.arange(2**_SMALLEST_BLOCK, dtype=np.uint64)
    enciphered = _encipher(everything, _round_keys(seed, epoch, half), half).astype(np.int64)
    # A step that stays where it is inside; done twice as often in each turn, it ends inside from
    # wherever it began.
    walk = np.where(np.arange(len(everything)) < count, np.arange(len(everything)), enciphered)
    for _ in range(_SMALLEST_BLOCK):
        walk = walk[walk]
    return walk[enciphered[np.arange(count) % len(everything)]]


def _round_keys(seed: int, epoch: int, half: int) -> list[int]:
    mask = (1 << half) - 1
    keys = [int(word) & mask for word in mix(seed, epoch, np.arange(3)) % np.uint64(2**32)]
    sequence = _SEQUENCE
    for number in range(3, _ROUNDS):
        rotated = _right(keys[number - 1], 3, half)
        rotated ^= _right(rotated, 1, half)
        keys.append((0xFFFFFFFC & mask) ^ (sequence & 1) ^ keys[number - 3] ^ rotated)
        sequence >>= 1
    return keys


def _right(word: int, by: int, half: int) -> int:
    return ((word >> by) | (word << (half - by))) & ((1 << half) - 1)


def _encipher(values: Words, keys: list[int], half: int) -> Words:
    size, mask = np.uint64(half), np.uint64((1 << half) - 1)

    def left(word: Words, by: int) -> Words:
        return ((word << np.uint64(by)) | (word >> np.uint64(half - by))) & mask

    def mixed(word: Words) -> Words:
        return (left(word, 1) & left(word, 8)) ^ left(word, 2)

    high, low = (values >> size) & mask, values & mask
    for first, second in zip(keys[::2], keys[1::2], strict=True):
        high = high ^ mixed(low) ^ np.uint64(first)
        low = low ^ mixed(high) ^ np.uint64(second)
    return (high << size) | low
