"""What every training pipeline is: batches without an end, and the number of them that makes an
epoch."""

from typing import Any, NamedTuple

from rotkeras.errors import UserError


class Pipeline(NamedTuple):
    """What `fit` needs of a training pipeline.

    Attributes:
        dataset: of (x, y) without an end, a `tf.data.Dataset` or a generator of arrays; epoch
            follows epoch without a pause.
        steps_per_epoch: batches in an epoch, see `count_steps`; the images left over differ from
            epoch to epoch.
        input_wait: the clock that says how long training waited for the dataset.
        owner: what a `feature_pipeline` reads from; it can be read as long as this pipeline is
            kept.
    """

    dataset: Any
    steps_per_epoch: int
    input_wait: Any
    owner: Any = None


def reads_images(task: Any) -> bool:
    """Whether a task makes its x of images; one whose images lie on the device already wants None
    in their place."""
    return bool(getattr(task, "reads_images", True))


def even_batch(count: int, most: int, multiple: int = 1) -> int:
    """The largest batch, at most `most` and at least half of it, that leaves nothing over, so that
    a step compiles for one shape.

    Args:
        count: images in all.
        most: images in a batch.
        multiple: what a batch must be a multiple of, as `most` and `count` are.

    Returns:
        Images in a batch; `most` when there is no such one.
    """
    sizes = range(most - most % multiple, max(most // 2, multiple) - 1, -multiple)
    return next((size for size in sizes if count % size == 0), most)


def count_steps(images: int, images_per_batch: int, steps_per_execution: int = 1) -> int:
    """Batches in an epoch: whole batches only, and whole executions.

    Keras always runs whole executions, so with steps left over an epoch would take batches of the
    next one, and a resumed run would see other batches than one that was never stopped.

    Args:
        images: number of training images.
        images_per_batch: images in a batch.
        steps_per_execution: as given to `compile`.

    Raises:
        UserError: when the images do not fill one batch, or the batches one execution.
    """
    if not 1 <= images_per_batch <= images:
        raise UserError(
            f"images_per_batch must be from 1 to {images}, the number of training images, got"
            f" {images_per_batch}; lower it or add images."
        )
    steps = images // images_per_batch
    if not 1 <= steps_per_execution <= steps:
        raise UserError(
            f"steps_per_execution must be from 1 to {steps}, the batches of an epoch, got"
            f" {steps_per_execution}."
        )
    return steps - steps % steps_per_execution


def epoch_steps(
    per_pass: int,
    images_per_epoch: int | None,
    images_per_batch: int,
    steps_per_execution: int = 1,
) -> int:
    """Batches between two evaluations of `fit`, where that is not a pass over the images.

    Args:
        per_pass: batches of a pass, see `count_steps`.
        images_per_epoch: images between two evaluations; None for a pass.
        images_per_batch: images in a batch.
        steps_per_execution: as given to `compile`.

    Returns:
        Whole executions that take at most so many images; at least one.
    """
    if images_per_epoch is None:
        return per_pass
    executions = images_per_epoch // (images_per_batch * steps_per_execution)
    return steps_per_execution * max(1, executions)


def makes_numpy(*steps: Any) -> bool:
    """Whether tasks and augmentations take NumPy arrays."""
    return all(getattr(step, "in_numpy", False) for step in steps)
