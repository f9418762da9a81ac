"""From images to batches of (views, labels) in `tf.data`: shuffled, augmented, and turned into
views by a pretext task.

NumPy makes them or, what it cannot, TensorFlow's graph.

A batch is made whole: one gather, one augmentation, one call of the task. Nothing is done image by
image, pixels stay uint8, and an image's views lie side by side, so that a batch split over devices
never splits them.
"""

import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from rotkeras.data.at_exit import ending
from rotkeras.data.augmentation import Augmentation, chain
from rotkeras.data.epochs import Pipeline, count_steps, epoch_steps, makes_numpy
from rotkeras.data.input_wait import InputWait
from rotkeras.data.keyed import Key
from rotkeras.data.numpy_batches import Steps, numpy_evaluation, steps_of_images
from rotkeras.data.randomness import permute
from rotkeras.data.source import Images
from rotkeras.data.taken import cuts_photographs, labeller, photographs


def tf_pipeline(
    images: Images,
    task: Any,
    *,
    images_per_batch: int,
    seed: int,
    augmentation: Sequence[Augmentation],
    initial_epoch: int,
    steps_per_execution: int,
    repeats: int,
    images_per_epoch: int | None = None,
) -> Pipeline:
    """See `rotkeras.data.pipeline`."""
    settings: dict[str, Any] = {
        "images_per_batch": images_per_batch,
        "seed": seed,
        "augmentation": augmentation,
    }
    if makes_numpy(task, *augmentation):
        steps = steps_of_images(
            images,
            task,
            steps_per_execution=steps_per_execution,
            repeats=repeats,
            images_per_epoch=images_per_epoch,
            **settings,
        )
        return dataset_of(steps, initial_epoch)
    rows = tf.constant(images.rows)
    take, label = _taker(images, augmentation), labeller(images, task)

    def batch(seed: Any, epoch: Any, index: Any, repeat: Any) -> Any:
        # Repeats lie beyond the rows of the array: each has an index, and so draws, of its own.
        key = Key(seed, epoch, tf.gather(rows, index) + repeat * len(images.array), index)
        return label(task.views(take(index, key), key), index)

    return _endless(
        batch,
        len(images),
        repeats,
        images_per_batch,
        seed,
        initial_epoch,
        steps_per_execution,
        images_per_epoch,
    )


def dataset_of(steps: Steps, initial_epoch: int = 0) -> Pipeline:
    """Batches that NumPy makes, as a dataset without an end, from an epoch on."""
    start = initial_epoch * steps.per_epoch
    made = made_by_numpy(
        steps.batch, tf.data.Dataset.counter(start=start), example=steps.batch(start)
    )
    return _measured(made, steps.per_epoch)


def made_by_numpy(make: Callable[[int], Any], numbers: Any, example: Any, even: bool = True) -> Any:
    """A dataset of what NumPy makes of numbers, several at once and in order.

    NumPy copies rows and planes of bytes, where TensorFlow's kernels gather pixels of three bytes:
    batches are made in a third of the time, and nothing is traced.

    Args:
        make: number -> nested arrays.
        numbers: a dataset of int64 scalars.
        example: what `make` gives, for its structure, dtypes and shapes.
        even: whether batches have as many rows as the example, all.
    """
    # TensorFlow keeps a function that was mapped for the life of the process: it must not keep a
    # batch with it.
    kinds = [(each.shape, each.dtype) for each in tf.nest.flatten(example)]
    structure = tf.nest.map_structure(lambda _: None, example)

    def read(number: Any) -> Any:
        with ending.reading() as worth_it:
            return (
                tf.nest.flatten(make(int(number)))
                if worth_it
                else [np.zeros(shape, dtype) for shape, dtype in kinds]
            )

    def batch(number: Any) -> Any:
        values = tf.numpy_function(read, [number], [dtype for _, dtype in kinds], stateful=False)
        shapes = [shape if even else (None, *shape[1:]) for shape, _ in kinds]
        shaped = [
            tf.ensure_shape(value, shape) for value, shape in zip(values, shapes, strict=True)
        ]
        return tf.nest.pack_sequence_as(structure, shaped)

    return numbers.map(
        _as_written(batch), num_parallel_calls=tf.data.AUTOTUNE, deterministic=True
    ).prefetch(tf.data.AUTOTUNE)


def tf_feature_pipeline(
    features: Mapping[str, NDArray[np.float32]],
    labels: NDArray[np.int64],
    *,
    images_per_batch: int,
    seed: int,
    repeats: int,
) -> Pipeline:
    """See `rotkeras.data.pipelines.feature_pipeline`."""
    names = list(features)
    # TensorFlow keeps a function that was mapped for the life of the process: it must not keep
    # gigabytes of features with it.
    references = [weakref.ref(features[name]) for name in names]
    blank = [np.zeros((images_per_batch, *features[name].shape[1:]), np.float32) for name in names]

    def read(index: Any) -> Any:
        arrays = [reference() for reference in references]
        with ending.reading() as worth_it:
            # Gone after training has ended: what is still prefetched then is seen by no one.
            return [
                array[index] if array is not None and worth_it else empty
                for array, empty in zip(arrays, blank, strict=True)
            ]

    def batch(_seed: Any, _epoch: Any, index: Any, _repeat: Any) -> Any:
        values = tf.numpy_function(read, [index], [tf.float32] * len(names), stateful=False)
        x = {
            name: tf.ensure_shape(value, like.shape)
            for name, value, like in zip(names, values, blank, strict=True)
        }
        return x, tf.gather(labels, index)

    return _endless(_as_written(batch), len(labels), repeats, images_per_batch, seed)._replace(
        owner=features
    )


def _as_written(function: Any) -> Any:
    """The function without TensorFlow's rewriting of its Python, which takes a second."""
    return tf.autograph.experimental.do_not_convert(function)


def _endless(
    batch: Any,
    count: int,
    repeats: int,
    images_per_batch: int,
    seed: int,
    initial_epoch: int = 0,
    steps_per_execution: int = 1,
    images_per_epoch: int | None = None,
) -> Pipeline:
    """Batches for ever: `batch(seed, epoch, index, repeat)` of the positions that each step's
    number stands for."""
    steps = count_steps(count * repeats, images_per_batch, steps_per_execution)
    per_epoch = epoch_steps(steps, images_per_epoch, images_per_batch, steps_per_execution)
    seed_tensor = tf.constant(seed, tf.int64)

    def step_batch(step: Any) -> Any:
        epoch = step // steps
        position = (step % steps) * images_per_batch + tf.range(images_per_batch, dtype=tf.int64)
        index = permute(position, seed_tensor, epoch, count * repeats)
        return batch(seed_tensor, epoch, index % count, index // count)

    dataset = tf.data.Dataset.counter(start=initial_epoch * per_epoch)
    dataset = dataset.map(
        step_batch, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True
    ).prefetch(tf.data.AUTOTUNE)
    return _measured(dataset, per_epoch)


def _measured(dataset: Any, steps: int) -> Pipeline:
    clock = InputWait()
    return Pipeline(untuned(clock.measure(dataset)), steps, clock)


def untuned(dataset: Any) -> Any:
    """The dataset without tf.data's tuning while it runs; AUTOTUNE then means its default, a thread
    for each core, 16 at most.

    The thread that tunes sleeps twice as long each time, up to a minute, and whoever ends an
    iterator (`fit` at its end, a validation) now and then waits until it wakes. Our pipelines have
    one map and one prefetch, which need no tuning.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)


def tf_evaluation_pipeline(images: Images, task: Any, *, images_per_batch: int) -> Any:
    """See `rotkeras.data.evaluation_pipeline`."""
    if makes_numpy(task):
        part = numpy_evaluation(images, task, images_per_batch)
        even = len(images) % images_per_batch == 0
        return untuned(
            made_by_numpy(
                part.__getitem__, tf.data.Dataset.range(len(part)), example=part[0], even=even
            )
        )
    count = len(images)
    rows = tf.constant(images.rows)
    gather, label = _gather(images), labeller(images, task)

    def batch(start: Any) -> Any:
        index = tf.range(start, tf.minimum(start + images_per_batch, count), dtype=tf.int64)
        zero = tf.constant(0, tf.int64)
        key = Key(zero, zero, tf.gather(rows, index), index)
        return label(task.views(gather(index), key), index)

    starts = tf.data.Dataset.range(0, count, images_per_batch)
    batches = starts.map(batch, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    return untuned(batches.prefetch(tf.data.AUTOTUNE))


def _taker(images: Images, augmentation: Sequence[Augmentation]) -> Any:
    """`rotkeras.data.taken.taker` of tensors."""
    steps = list(augmentation)
    if not cuts_photographs(images, steps):
        gather, augment = _gather(images), chain(steps)
        return lambda index, key: augment(gather(index), key)
    cut, rest = photographs(images, steps[0]), chain(steps[1:], first=1)
    crop: Any = steps[0]
    size = (crop.size or images.image_shape[0], crop.size or images.image_shape[1], 3)

    def read(index: Any, *key: Any) -> Any:
        with ending.reading() as worth_it:
            return cut(index, Key(*key)) if worth_it else np.zeros((len(index), *size), np.uint8)

    def take(index: Any, key: Any) -> Any:
        made = tf.numpy_function(read, [index, *key[:3]], tf.uint8, stateful=False)
        return rest(tf.ensure_shape(made, (index.shape[0], *size)), key)

    return take


def _gather(images: Images) -> Any:
    """(index (B,)) -> uint8 (B, H, W, 3), from memory or from a file of the cache."""
    shape = (None, *images.image_shape)

    def read(index: Any) -> Any:
        with ending.reading() as worth_it:
            return (
                images.take(np.asarray(index))
                if worth_it
                else np.zeros((len(index), *shape[1:]), np.uint8)
            )

    def gather(index: Any) -> Any:
        batch = tf.numpy_function(read, [index], tf.uint8, stateful=False)
        return tf.ensure_shape(batch, (index.shape[0], *shape[1:]))

    return gather
