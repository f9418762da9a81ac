"""Keys of randomness, for the tests of views."""

import numpy as np

from rotkeras.data.keyed import Key


def key_of(count, seed=3, epoch=1):
    """The key of images 0 … count − 1."""
    index = np.arange(count, dtype=np.int64)
    return Key(np.int64(seed), np.int64(epoch), index, index)
