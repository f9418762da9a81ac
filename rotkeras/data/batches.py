"""From images to batches of (views, labels): shuffled, augmented, and turned into views by a pretext task.

A batch is made whole: one gather, one augmentation, one call of the task. Nothing is done image by image, pixels stay uint8,
and an image's views lie side by side, so that a batch split over devices never splits them.
"""

import weakref
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from rotkeras.data.augmentation import Augmentation, chain
from rotkeras.data.input_wait import InputWait
from rotkeras.data.randomness import Key, permute
from rotkeras.data.source import Images
from rotkeras.errors import UserError


class Pipeline(NamedTuple):
    """What `fit` needs of a training pipeline.

    Attributes:
        dataset: an endless `tf.data.Dataset` of (x, y); epoch follows epoch without a pause between.
        steps_per_epoch: batches in an epoch, see `count_steps`; the images left over differ from epoch to epoch.
        input_wait: the clock that says how long training waited for the dataset.
        owner: what a `feature_pipeline` reads from; it can be read as long as this pipeline is kept.
    """

    dataset: Any
    steps_per_epoch: int
    input_wait: InputWait
    owner: Any = None


def count_steps(images: int, images_per_batch: int, steps_per_execution: int = 1) -> int:
    """Batches in an epoch: whole batches only, and whole executions.

    Keras always runs whole executions, so with steps left over an epoch would take batches of the next one, and a resumed run would
    see other batches than one that was never stopped.

    Args:
        images: number of training images.
        images_per_batch: images in a batch.
        steps_per_execution: as given to `compile`.

    Raises:
        UserError: when the images do not fill one batch, or the batches one execution.
    """
    if not 1 <= images_per_batch <= images:
        raise UserError(
            f"images_per_batch: expected 1 to {images}, the number of training images, received {images_per_batch}; "
            f"set it lower or add images."
        )
    steps = images // images_per_batch
    if not 1 <= steps_per_execution <= steps:
        raise UserError(
            f"steps_per_execution: expected 1 to {steps}, the batches in an epoch, received {steps_per_execution}; set it lower."
        )
    return steps - steps % steps_per_execution


def pipeline(
    images: Images,
    task: Any,
    *,
    images_per_batch: int,
    seed: int = 0,
    augmentation: Augmentation | Sequence[Augmentation] = (),
    initial_epoch: int = 0,
    steps_per_execution: int = 1,
    repeats: int = 1,
) -> Pipeline:
    """The training pipeline: every epoch in another order, and everything random a function of (seed, epoch, index).

    Args:
        images: the part to train on.
        task: a pretext task; its `views(images, key)` makes (x, y) of a batch of images.
        images_per_batch: images, not views: with four rotations a batch has four times as many views.
        seed: of order, augmentation and the task's own draws.
        augmentation: one or several of `rotkeras.data.augmentation`, applied to the images before the views are made.
        initial_epoch: the epoch to begin with; the same number goes to `fit(initial_epoch=…)`.
        steps_per_execution: the same number as in `compile(steps_per_execution=…)`.
        repeats: how often an image comes in one epoch, each time augmented anew; for epochs of a fixed length on few images.

    Returns:
        A `Pipeline`; call `model.fit(p.dataset, steps_per_epoch=p.steps_per_epoch, …)`.

    Raises:
        UserError: when there are fewer images than one batch takes, or fewer batches than one execution.
    """
    rows = tf.constant(images.rows)
    augment = chain([augmentation] if callable(augmentation) else list(augmentation))
    gather = _gather(images)

    def batch(seed: Any, epoch: Any, index: Any, repeat: Any) -> Any:
        # Repeats lie beyond the rows of the array: each has an index, and so draws, of its own.
        key = Key(seed, epoch, tf.gather(rows, index) + repeat * len(images.array))
        return task.views(augment(gather(index), key), key)

    return _endless(batch, len(images), repeats, images_per_batch, seed, initial_epoch, steps_per_execution)


def feature_pipeline(
    features: Mapping[str, NDArray[np.float32]],
    labels: NDArray[np.int64],
    *,
    images_per_batch: int,
    seed: int = 0,
    repeats: int = 1,
) -> Pipeline:
    """The training pipeline of features that were computed before: every epoch in another order.

    Args:
        features: {name: float32 (N, …)}, in memory.
        labels: integers (N,).
        images_per_batch: rows in a batch.
        seed: of the order.
        repeats: how often a row comes in one epoch.

    Returns:
        A `Pipeline` of ({name: (B, …)}, labels (B,)).

    Raises:
        UserError: when there are fewer rows than one batch takes.
    """
    names = list(features)
    # TensorFlow keeps a function that was mapped for the life of the process: it must not keep gigabytes of features with it.
    references = [weakref.ref(features[name]) for name in names]
    blank = [np.zeros((images_per_batch, *features[name].shape[1:]), np.float32) for name in names]

    def read(index: Any) -> Any:
        arrays = [reference() for reference in references]
        # Gone after training has ended: what is still prefetched then is seen by no one.
        return [empty if array is None else array[index] for array, empty in zip(arrays, blank, strict=True)]

    def batch(_seed: Any, _epoch: Any, index: Any, _repeat: Any) -> Any:
        values = tf.numpy_function(read, [index], [tf.float32] * len(names), stateful=False)
        x = {name: tf.ensure_shape(value, like.shape) for name, value, like in zip(names, values, blank, strict=True)}
        return x, tf.gather(labels, index)

    return _endless(batch, len(labels), repeats, images_per_batch, seed)._replace(owner=features)


def _endless(
    batch: Any, count: int, repeats: int, images_per_batch: int, seed: int, initial_epoch: int = 0, steps_per_execution: int = 1
) -> Pipeline:
    """Batches for ever: `batch(seed, epoch, index, repeat)` of the positions that each step's number stands for."""
    steps = count_steps(count * repeats, images_per_batch, steps_per_execution)
    seed_tensor = tf.constant(seed, tf.int64)

    def step_batch(step: Any) -> Any:
        epoch = step // steps
        position = (step % steps) * images_per_batch + tf.range(images_per_batch, dtype=tf.int64)
        index = permute(position, seed_tensor, epoch, count * repeats)
        return batch(seed_tensor, epoch, index % count, index // count)

    dataset = tf.data.Dataset.counter(start=initial_epoch * steps)
    dataset = dataset.map(step_batch, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True).prefetch(tf.data.AUTOTUNE)
    clock = InputWait()
    return Pipeline(clock.measure(dataset), steps, clock)


def evaluation_pipeline(images: Images, task: Any, *, images_per_batch: int) -> Any:
    """A finite `tf.data.Dataset` of (x, y) over all images in the order of their index, without augmentation.

    The last batch holds what is left. A task's draws come from seed 0 and epoch 0, the same at every evaluation.
    """
    count = len(images)
    rows = tf.constant(images.rows)
    gather = _gather(images)

    def batch(start: Any) -> Any:
        index = tf.range(start, tf.minimum(start + images_per_batch, count), dtype=tf.int64)
        zero = tf.constant(0, tf.int64)
        return task.views(gather(index), Key(zero, zero, tf.gather(rows, index)))

    starts = tf.data.Dataset.range(0, count, images_per_batch)
    return starts.map(batch, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True).prefetch(tf.data.AUTOTUNE)


def _gather(images: Images) -> Any:
    """(index (B,)) -> uint8 (B, H, W, 3), from memory or from a memory-mapped file."""
    shape = (None, *images.image_shape)

    def read(index: Any) -> Any:
        return images.take(np.asarray(index))

    def gather(index: Any) -> Any:
        batch = tf.numpy_function(read, [index], tf.uint8, stateful=False)
        return tf.ensure_shape(batch, (index.shape[0], *shape[1:]))

    return gather
