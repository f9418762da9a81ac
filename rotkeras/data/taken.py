"""Images of a batch, taken and augmented: a crop that comes first is cut from the photographs."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rotkeras.data.augmentation import Augmentation, chain
from rotkeras.data.encoded import EncodedImages
from rotkeras.data.keyed import Key
from rotkeras.data.resized_crop import RandomResizedCrop
from rotkeras.data.source import Images
from rotkeras.errors import UserError


def cuts_photographs(images: Images, augmentation: Sequence[Any]) -> bool:
    """Whether the first augmentation is a random resized crop, and the images are encoded, so that
    it is cut from the photographs and not from their squares."""
    array: Any = images.array
    first = augmentation[0] if augmentation else None
    return isinstance(array, EncodedImages) and isinstance(first, RandomResizedCrop)


def crops_by_task(images: Images, task: Any, augmentation: Sequence[Any] = ()) -> bool:
    """Whether the task begins with crops of its own, and the images are encoded, so that they are
    cut from the photographs; an augmentation before them wants squares."""
    encoded = isinstance(images.array, EncodedImages)
    return encoded and not augmentation and hasattr(task, "views_of_photographs")


def labeller(images: Images, task: Any) -> Callable[[Any, Any], Any]:
    """A function of (the (x, y) of a task, positions (B,)) that puts the labels of the images into
    y, for a task that wants them (`rotkeras.pretext.OnlineProbe`).

    Raises:
        UserError: for such a task and images without labels, or with labels outside of its
            classes.
    """
    if not hasattr(task, "with_labels"):
        return lambda made, _index: made
    if images.labels is None:
        raise UserError("An online probe needs labelled images, and these have no labels.")
    least, most = int(images.labels.min(initial=0)), int(images.labels.max(initial=0))
    if least < 0 or most >= task.classes:
        raise UserError(
            f"The labels of an online probe of {task.classes} classes must be from 0 to"
            f" {task.classes - 1}, got {least if least < 0 else most}; give OnlineProbe as many"
            " classes as the labels of all parts have, and no negative label."
        )
    labels = images.labels.astype(np.int32)

    def put(made: Any, index: Any) -> Any:
        x, y = made
        if isinstance(index, np.ndarray):
            return x, task.with_labels(y, labels[index])
        import tensorflow as tf

        return x, task.with_labels(y, tf.gather(labels, index))

    return put


def viewer(
    images: Images, task: Any, augmentation: Sequence[Augmentation] = ()
) -> Callable[[NDArray[np.int64], Key], Any]:
    """A function of (positions (B,), key) that gives the (x, y) of a task whose views are made in
    NumPy."""
    if not crops_by_task(images, task, augmentation):
        take = taker(images, augmentation)
        return lambda index, key: task.views(take(index, key), key)

    def views(index: NDArray[np.int64], key: Key) -> Any:
        return task.views_of_photographs(
            lambda crop, of_view: photographs(images, crop)(index, of_view), key
        )

    return views


def taker(
    images: Images, augmentation: Sequence[Augmentation]
) -> Callable[[NDArray[np.int64], Key], NDArray[np.uint8]]:
    """A function of (positions (B,), key) that gives augmented images, uint8 (B, H, W, 3)."""
    steps = list(augmentation)
    if not cuts_photographs(images, steps):
        augment = chain(steps)
        return lambda index, key: augment(images.take(index), key)
    cut, rest = photographs(images, steps[0]), chain(steps[1:], first=1)
    return lambda index, key: rest(cut(index, key), key)


def photographs(images: Images, crop: Any) -> Callable[[NDArray[np.int64], Key], NDArray[np.uint8]]:
    """A function of (positions (B,), key) that cuts crops from photographs, uint8 (B, H, W, 3)."""
    array: Any = images.array
    size = (crop.size or images.image_shape[0], crop.size or images.image_shape[1])

    def cut(index: NDArray[np.int64], key: Key) -> NDArray[np.uint8]:
        rows = images.rows[index]
        boxes, flips = crop.boxes(key, array.sides(rows))
        made: NDArray[np.uint8] = array.crops(rows, boxes, size, flips)
        return made

    return cut
