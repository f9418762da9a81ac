"""From images to batches of (views, labels) in NumPy: for `tf.data`, which calls it, and where
TensorFlow is not used."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any, NamedTuple

import keras
import numpy as np
from numpy.typing import NDArray

from rotkeras.data.augmentation import Augmentation
from rotkeras.data.epochs import Pipeline, count_steps, epoch_steps, reads_images
from rotkeras.data.keyed import Key, permute
from rotkeras.data.source import Images
from rotkeras.data.taken import labeller, viewer
from rotkeras.errors import UserError

_AHEAD = 4
"""Batches that are made before they are needed."""


class Waiting:
    """How long the consumer of a generator waited for it.

    Attributes:
        seconds: time waited so far.
    """

    def __init__(self) -> None:
        self.seconds = 0.0


class Steps(NamedTuple):
    """The training batches of images, by the number of their step.

    Attributes:
        batch: step -> (x, y) of arrays; a pure function.
        per_epoch: batches in an epoch of `fit`.
    """

    batch: Callable[[int], Any]
    per_epoch: int


def steps_of_images(
    images: Images,
    task: Any,
    *,
    images_per_batch: int,
    seed: int,
    augmentation: Sequence[Augmentation],
    steps_per_execution: int,
    repeats: int,
    images_per_epoch: int | None = None,
    shard: tuple[int, int] = (0, 1),
) -> Steps:
    """The batches of `rotkeras.data.pipeline`; arguments as there."""
    _check_split(images_per_batch, shard[1])
    views, label = viewer(images, task, augmentation), labeller(images, task)

    def batch(epoch: int, index: NDArray[np.int64], repeat: NDArray[np.int64]) -> Any:
        # Repeats lie beyond the rows of the array: each has an index, and so draws, of its own.
        rows = images.rows[index] + repeat * len(images.array)
        key = Key(np.int64(seed), np.int64(epoch), rows, index)
        made = views(index, key) if reads_images(task) else task.views(None, key)
        return label(made, index)

    return steps_of(
        batch,
        len(images),
        repeats,
        images_per_batch,
        seed,
        steps_per_execution,
        shard,
        images_per_epoch,
    )


def numpy_pipeline(images: Images, task: Any, *, initial_epoch: int, **settings: Any) -> Pipeline:
    """See `rotkeras.data.pipeline`; the settings are those of `steps_of_images`."""
    return _endless(steps_of_images(images, task, **settings), initial_epoch)


def numpy_feature_pipeline(
    features: Mapping[str, NDArray[np.float32]],
    labels: NDArray[np.int64],
    *,
    images_per_batch: int,
    seed: int,
    repeats: int,
) -> Pipeline:
    """See `rotkeras.data.pipelines.feature_pipeline`."""

    def batch(_epoch: int, index: NDArray[np.int64], _repeat: NDArray[np.int64]) -> Any:
        return {name: values[index] for name, values in features.items()}, labels[index]

    return _endless(steps_of(batch, len(labels), repeats, images_per_batch, seed))


def steps_of(
    batch: Callable[[int, NDArray[np.int64], NDArray[np.int64]], Any],
    count: int,
    repeats: int,
    images_per_batch: int,
    seed: int,
    steps_per_execution: int = 1,
    shard: tuple[int, int] = (0, 1),
    images_per_epoch: int | None = None,
) -> Steps:
    """The batches of a pass after the other, each pass in another order.

    Args:
        batch: (pass, positions (B,) of images, the repeat of each) -> (x, y).
        count: images.
        repeats: how often an image comes in one pass.
        images_per_batch: of all shards.
        seed: of the order.
        steps_per_execution: as in `compile`.
        shard, images_per_epoch: see `rotkeras.data.pipeline`.
    """
    number, shards = shard
    steps = count_steps(count * repeats, images_per_batch, steps_per_execution)
    share = images_per_batch // shards

    def step_batch(step: int) -> Any:
        epoch = step // steps
        position = (
            (step % steps) * images_per_batch + number * share + np.arange(share, dtype=np.int64)
        )
        index = permute(position, seed, epoch, count * repeats)
        return batch(epoch, index % count, index // count)

    return Steps(
        step_batch, epoch_steps(steps, images_per_epoch, images_per_batch, steps_per_execution)
    )


def _endless(steps: Steps, initial_epoch: int = 0) -> Pipeline:
    waiting = Waiting()
    return Pipeline(
        _ahead(steps.batch, initial_epoch * steps.per_epoch, waiting), steps.per_epoch, waiting
    )


def _check_split(images_per_batch: int, shards: int) -> None:
    if images_per_batch % shards:
        raise UserError(
            f"images_per_batch must be a multiple of {shards}, the number of processes, got"
            f" {images_per_batch}."
        )


def _ahead(batch: Any, start: int, waiting: Waiting) -> Iterator[Any]:
    """Endless batches, made in a thread before they are needed."""
    pool = ThreadPoolExecutor(1, "batches")
    try:
        upcoming = (pool.submit(batch, step) for step in count(start))
        queue = [next(upcoming) for _ in range(_AHEAD)]
        while True:
            asked = time.perf_counter()
            made = queue.pop(0).result()
            waiting.seconds += time.perf_counter() - asked
            queue.append(next(upcoming))
            yield made
    finally:
        # Not waited for: the generator may be collected in one of the threads that decode, and the
        # batch that is being made then waits for that thread.
        pool.shutdown(wait=False, cancel_futures=True)


def numpy_evaluation(
    images: Images, task: Any, images_per_batch: int, shard: tuple[int, int] = (0, 1)
) -> Any:
    """See `rotkeras.data.evaluation_pipeline`."""
    return _Evaluation(images, task, images_per_batch, shard)


class _Evaluation(keras.utils.PyDataset):
    def __init__(
        self, images: Images, task: Any, images_per_batch: int, shard: tuple[int, int]
    ) -> None:
        super().__init__()
        _check_split(images_per_batch, shard[1])
        self.images = images
        self.task = task
        self.views = viewer(images, task)
        self.label = labeller(images, task)
        self.size = images_per_batch
        self.number, self.shards = shard
        self.count = len(images) - len(images) % self.shards

    def __len__(self) -> int:
        return -(-self.count // self.size)

    def __getitem__(self, batch: int) -> Any:
        start = batch * self.size
        share = (min(start + self.size, self.count) - start) // self.shards
        position = start + self.number * share + np.arange(share, dtype=np.int64)
        key = Key(np.int64(0), np.int64(0), self.images.rows[position], position)
        reads = reads_images(self.task)
        made = self.views(position, key) if reads else self.task.views(None, key)
        return self.label(made, position)
