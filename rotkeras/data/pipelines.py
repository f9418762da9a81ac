"""The two pipelines behind one name: `tf.data` for TensorFlow, a thread for the other backends.
Their batches are the same."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from rotkeras.arguments.accepted import NotNegative, Positive, Seed, Task
from rotkeras.arguments.checked import checked
from rotkeras.data.augmentation import Augmentation
from rotkeras.data.epochs import Pipeline, makes_numpy
from rotkeras.data.source import Images
from rotkeras.errors import UserError

Library = Literal["auto", "tensorflow", "numpy"]


@checked
def pipeline(
    images: Images,
    task: Task,
    *,
    images_per_batch: Positive,
    seed: Seed = 0,
    augmentation: Augmentation | Sequence[Augmentation] = (),
    initial_epoch: NotNegative = 0,
    steps_per_execution: Positive = 1,
    repeats: Positive = 1,
    images_per_epoch: Positive | None = None,
    library: Library = "auto",
    shard: tuple[NotNegative, Positive] = (0, 1),
) -> Pipeline:
    """The training pipeline: every epoch in another order, and everything random a function of
    (seed, epoch, index).

    Args:
        images: the part to train on.
        task: a pretext task; its `views(images, key)` makes (x, y) of a batch of images.
        images_per_batch: images, not views: with four rotations a batch has four times as many
            views.
        seed: of order, augmentation and the task's own draws.
        augmentation: one or several of `rotkeras.data.augmentation`, applied to the images before
            the views are made; none for a task that augments by itself (`rotkeras.pretext.InStep`).
        initial_epoch: the epoch to begin with; the same number goes to `fit(initial_epoch=…)`.
        steps_per_execution: the same number as in `compile(steps_per_execution=…)`.
        repeats: how often an image comes in one epoch, each time augmented anew; for epochs of a
            fixed length on few images.
        images_per_epoch: images between two evaluations of `fit`, in whole batches and executions;
            None for a pass over all images. The batches are the same and come in the same order,
            and what is random still follows the passes.
        library: "tensorflow" makes batches in `tf.data`, "numpy" in a thread without TensorFlow;
            they are the same, bit for bit. "auto" is TensorFlow where Keras runs on it, else NumPy,
            or TensorFlow for what NumPy cannot do.
        shard: (number, count): of each batch, the part of one of several processes; whole images,
            in order. With "numpy" alone.

    Returns:
        A `Pipeline`; call `model.fit(p.dataset, steps_per_epoch=p.steps_per_epoch, …)`.

    Raises:
        UserError: when there are fewer images than one batch takes, or fewer batches than one
            execution; for a batch that does not split evenly; for images or augmentations that do
            not go with the task, and such that NumPy cannot make where TensorFlow is not installed
            or may not be used.
    """
    steps = [augmentation] if callable(augmentation) else list(augmentation)
    if images_per_batch < (least := getattr(task, "least_images_per_batch", 1)):
        raise UserError(
            f"images_per_batch must be at least {least} for {type(task).__name__}, got"
            f" {images_per_batch}; its loss compares the images of a batch."
        )
    if hasattr(task, "on_host"):
        if steps:
            raise UserError(
                "augmentation must be empty here, because the task augments inside the step, got"
                f" {len(steps)}; pass them to InStep."
            )
        steps = task.on_host
    settings: dict[str, Any] = {
        "images_per_batch": images_per_batch,
        "seed": seed,
        "augmentation": steps,
        "initial_epoch": initial_epoch,
    }
    settings |= {"steps_per_execution": steps_per_execution, "repeats": repeats}
    settings |= {"images_per_epoch": images_per_epoch}
    _check_images(task, images)
    if _chosen(library, task, steps, shard) == "numpy":
        from rotkeras.data.numpy_batches import numpy_pipeline

        return numpy_pipeline(images, task, shard=shard, **settings)
    from rotkeras.data.batches import tf_pipeline

    return tf_pipeline(images, task, **settings)


@checked
def evaluation_pipeline(
    images: Images,
    task: Task,
    *,
    images_per_batch: Positive,
    library: Library = "auto",
    shard: tuple[NotNegative, Positive] = (0, 1),
) -> Any:
    """(x, y) over all images in the order of their index, without augmentation.

    The last batch holds what is left; of several shards each gets as many images, and at most count
    − 1 images are left out. For a task whose loss compares the images of a batch (`spans_batch`, as
    SimCLR's does) what is left is left out, so that all batches have one size; images that make no
    whole batch are one. A task's draws come from seed 0 and epoch 0, the same at every evaluation.

    Args:
        images: the part to look at.
        task: a pretext task; one that augments by itself (`rotkeras.pretext.InStep`) does not do it
            here.
        images_per_batch: images of a batch of all shards.
        library: as for `pipeline`.
        shard: as for `pipeline`.

    Returns:
        A finite `tf.data.Dataset`, or a `keras.utils.PyDataset` of NumPy batches.
    """
    task = task.for_evaluation() if hasattr(task, "for_evaluation") else task
    _check_images(task, images)
    if getattr(task, "spans_batch", False):
        images = whole_batches(images, images_per_batch)
    if _chosen(library, task, [], shard) == "numpy":
        from rotkeras.data.numpy_batches import numpy_evaluation

        return numpy_evaluation(images, task, images_per_batch, shard)
    from rotkeras.data.batches import tf_evaluation_pipeline

    return tf_evaluation_pipeline(images, task, images_per_batch=images_per_batch)


def whole_batches(images: Images, images_per_batch: int) -> Images:
    """The images that make whole batches, from the first on; all of them if they make none."""
    count = len(images) - len(images) % images_per_batch
    return images.part(np.arange(count)) if count else images


def feature_pipeline(
    features: Mapping[str, NDArray[np.float32]],
    labels: NDArray[np.int64],
    *,
    images_per_batch: int,
    seed: int = 0,
    repeats: int = 1,
    library: Library = "auto",
) -> Pipeline:
    """The training pipeline of features that were computed before: every epoch in another order.

    Args:
        features: {name: float32 (N, …)}, in memory.
        labels: integers (N,).
        images_per_batch: rows in a batch.
        seed: of the order.
        repeats: how often a row comes in one epoch.
        library: as for `pipeline`; the batches are the same.

    Returns:
        A `Pipeline` of ({name: (B, …)}, labels (B,)).

    Raises:
        UserError: when there are fewer rows than one batch takes.
    """
    settings: dict[str, Any] = {
        "images_per_batch": images_per_batch,
        "seed": seed,
        "repeats": repeats,
    }
    if library == "numpy" or (library == "auto" and not _on_tensorflow()):
        from rotkeras.data.numpy_batches import numpy_feature_pipeline

        return numpy_feature_pipeline(features, labels, **settings)
    from rotkeras.data.batches import tf_feature_pipeline

    return tf_feature_pipeline(features, labels, **settings)


def _check_images(task: Any, images: Images) -> None:
    """A task that holds images by itself says so when they are others."""
    if hasattr(task, "check_images"):
        task.check_images(images)


def _on_tensorflow() -> bool:
    import keras

    return bool(keras.config.backend() == "tensorflow")


def _chosen(library: Library, task: Any, steps: Sequence[Any], shard: tuple[int, int]) -> Library:
    able = makes_numpy(task, *steps)
    if library == "auto":
        library = "numpy" if able and not _on_tensorflow() else "tensorflow"
    if library == "numpy" and not able:
        raise UserError(
            "The NumPy pipeline does not support this task or augmentation, which resample with"
            " TensorFlow; use library='tensorflow'."
        )
    if library == "tensorflow" and shard != (0, 1):
        raise UserError(
            "Several hosts read their images with NumPy, which this task or augmentation does not"
            " support, because it resamples with TensorFlow; train on one host, or change the"
            " recipe's task or augmentation."
        )
    return library
