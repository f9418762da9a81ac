"""Training batches of labelled photographs: a function of the step, made by NumPy in threads."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rotkeras.data.epochs import Pipeline
from rotkeras.data.keyed import Key

Make = Callable[[NDArray[np.int64], Key], Any]
"""(positions (B,), key) -> (x, y)."""


def training_batches(
    make: Make, count: int, images_per_batch: int, seed: int, initial_epoch: int = 0
) -> Pipeline:
    """Batches without an end, every epoch in another order.

    Args:
        make: (x, y) of the images at some positions, a function of the key.
        count: images of an epoch.
        images_per_batch: lowered to `count` where there are fewer images.
        seed: of the order and of all draws.
        initial_epoch: the epoch to begin with.
    """
    from rotkeras.data.batches import dataset_of
    from rotkeras.data.numpy_batches import steps_of

    def batch(epoch: int, index: NDArray[np.int64], repeat: NDArray[np.int64]) -> Any:
        return make(index, Key(np.int64(seed), np.int64(epoch), index + repeat * count))

    return dataset_of(steps_of(batch, count, 1, min(images_per_batch, count), seed), initial_epoch)
