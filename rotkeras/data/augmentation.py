"""Augmentation of uint8 batches before the views are made: once an image, then its copies.

Each is a function `(images, key) -> images` on uint8 (B, H, W, 3), tensors inside `tf.data`; its
randomness is a function of the key alone. One with `in_numpy = True` takes NumPy arrays as well,
and gives the same pixels. One with `in_step = True` can be taken apart, to run inside the compiled
step: `draw(key)` makes its integers on the host, int32 (B, D), `apply(images, draws)` the same
pixels of them by `keras.ops`, and `undrawn` are the D integers that leave an image as it is.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rotkeras.arguments.accepted import Padding, Text
from rotkeras.arguments.checked import checked
from rotkeras.data import draws, keyed
from rotkeras.data.blur import gaussian_blur
from rotkeras.data.color import color_jitter, random_grayscale
from rotkeras.data.keyed import Key
from rotkeras.data.resized_crop import random_resized_crop
from rotkeras.data.solarize import random_solarize
from rotkeras.errors import UserError

Tensor = Any
Augmentation = Callable[[Tensor, Key], Tensor]
"""(uint8 (B, H, W, 3), key) -> uint8 (B, H', W', 3)."""

# Streams of randomness within one step; `chain` gives each step of a list a seed of its own.
_TOP, _LEFT, _FLIP = range(1, 4)
FIRST_FREE_STREAM = 8
"""The first of twelve streams, 8 … 19, that a task may draw from: later ones are those of colours.
A task that needs more gives each of its parts a seed of its own, as SimCLR does its views."""


@checked
def pad_crop_flip(padding: Padding = 4, flip: bool = True) -> Augmentation:
    """Pad with black, cut a random crop of the old size, and flip half of the images from left to
    right.

    Args:
        padding: pixels on each side.
        flip: whether to flip.

    Reference:
        the CIFAR-10 augmentation of Gidaris et al., ICLR 2018, section 4.1, and their published
        code.
    """

    return _PadCropFlip(padding, flip)


class _PadCropFlip:
    in_numpy = True
    in_step = True

    def __init__(self, padding: int, flip: bool) -> None:
        self.padding = padding
        self.flip = flip
        self.undrawn = (padding, padding, 0) if flip else (padding, padding)

    def get_config(self) -> dict[str, Any]:
        return {"padding": self.padding, "flip": self.flip}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "_PadCropFlip":
        return cls(**config)

    def draw(self, key: Key) -> Any:
        sides = 2 * self.padding + 1
        flip = [(_FLIP, 2)] if self.flip else []
        return draws.draw(key, (_TOP, sides), (_LEFT, sides), *flip)

    def apply(self, images: Tensor, drawn: Tensor) -> Tensor:
        from keras import ops

        # Each image is gathered from by itself, rows and then columns: over the whole batch at
        # once, several devices would have to send each other all pixels first.
        padding, (height, width) = self.padding, images.shape[1:3]
        padded = ops.pad(images, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
        rows = drawn[:, 0:1] + ops.arange(height, dtype="int32")
        columns = ops.arange(width, dtype="int32")[None]
        if self.flip:
            columns = ops.where(drawn[:, 2:3] == 1, width - 1 - columns, columns)
        columns = drawn[:, 1:2] + columns
        cut = ops.take_along_axis(padded, rows[:, :, None, None], axis=1)
        return ops.take_along_axis(cut, columns[:, None, :, None], axis=2)

    def __call__(self, images: Tensor, key: Key) -> Tensor:
        return (
            self._numpy(images, key) if isinstance(images, np.ndarray) else self._graph(images, key)
        )

    def _numpy(self, images: NDArray[np.uint8], key: Key) -> NDArray[np.uint8]:
        count, height, width, channels = images.shape
        padding, drawn = self.padding, self.draw(key)
        padded = np.zeros((count, height + 2 * padding, width + 2 * padding, channels), np.uint8)
        padded[:, padding : padding + height, padding : padding + width] = images
        # A row of a crop is one item, at whatever byte it begins: NumPy then copies rows and not
        # bytes.
        row = np.dtype((np.void, width * channels))
        windows: NDArray[Any] = np.ndarray(
            (padded.size - row.itemsize + 1,), row, padded, strides=(1,)
        )
        top = np.arange(count)[:, None] * padded.shape[1] + drawn[:, 0:1] + np.arange(height)
        rows = windows[(top * padded.shape[2] + drawn[:, 1:2]) * channels]
        cut: NDArray[np.uint8] = rows.view(np.uint8).reshape(images.shape)
        if self.flip and len(flipped := np.flatnonzero(drawn[:, 2])):
            mirrored = cut[flipped]
            for channel in range(
                channels
            ):  # planes of bytes are copied faster than pixels of three
                cut[flipped, :, :, channel] = mirrored[:, :, ::-1, channel]
        return cut

    def _graph(self, images: Tensor, key: Key) -> Tensor:
        import tensorflow as tf

        padding, drawn = self.padding, self.draw(key)
        height, width = images.shape[1], images.shape[2]
        padded = tf.pad(images, [[0, 0], [padding, padding], [padding, padding], [0, 0]])
        rows = drawn[:, 0:1] + tf.range(height)
        columns = tf.range(width)[None]
        if self.flip:
            columns = tf.where(drawn[:, 2:3] == 1, width - 1 - columns, columns)
        columns = drawn[:, 1:2] + columns
        padded = tf.gather(padded, rows, axis=1, batch_dims=1)
        return tf.gather(padded, columns, axis=2, batch_dims=1)


def random_flip() -> Augmentation:
    """Flip half of the images from left to right."""
    return pad_crop_flip(padding=0, flip=True)


@checked
def keras_cv(layer: Text, **arguments: Any) -> Augmentation:
    """Any augmentation layer of keras-cv, by its name and with its own arguments.

    The layer's random generator is replaced by one that is a function of the batch's key, so that
    order, threads and resume do not change what it draws.

    Args:
        layer: such as "RandomGaussianBlur".
        **arguments: of the layer; `value_range` is (0, 255) unless given.

    Raises:
        UserError: for a name keras-cv does not have, or arguments that the layer does not take.
    """
    from rotkeras.data.keras_cv_layer import keyed_layer

    apply: Augmentation = keyed_layer(layer, arguments)
    return apply


NAMES = {
    "pad_crop_flip": pad_crop_flip,
    "random_flip": random_flip,
    "random_resized_crop": random_resized_crop,
    "color_jitter": color_jitter,
    "random_grayscale": random_grayscale,
    "random_solarize": random_solarize,
    "gaussian_blur": gaussian_blur,
    "keras_cv": keras_cv,
}
"""Augmentations by the name that a recipe uses."""


def chain(steps: list[Augmentation], first: int = 0) -> Augmentation:
    """Apply augmentations one after the other, each with random numbers of its own (`key_of_step`).

    Args:
        steps: the augmentations.
        first: the number of the first of them, where earlier ones are applied elsewhere.
    """

    def apply(images: Tensor, key: Key) -> Tensor:
        for number, step in enumerate(steps, start=first):
            if len(images.shape) != 4:
                raise UserError(
                    f"Augmentation {number} must be given a tensor (B, H, W, 3), got one of rank"
                    f" {len(images.shape)}."
                )
            images = step(images, key_of_step(key, number))
        return images

    return apply


def augmented(
    images: NDArray[np.uint8], key: Key, steps: Sequence[Augmentation]
) -> NDArray[np.uint8]:
    """Arrays after some augmentations, also of those that take tensors alone.

    Args:
        images: uint8 (B, H, W, 3).
        key: of NumPy numbers.
        steps: as for `chain`.
    """
    if all(getattr(step, "in_numpy", False) for step in steps):
        return np.asarray(chain(list(steps))(images, key))
    import tensorflow as tf

    of_graph = Key(*(None if each is None else tf.constant(each) for each in key))
    return np.asarray(chain(list(steps))(tf.constant(images), of_graph))


def key_of_step(key: Key, number: int) -> Key:
    """The key of the augmentation with this number in a list of them: a seed of its own, so that
    two flips draw differently."""
    return key if number == 0 else key._replace(seed=_another_seed(key.seed, number))


def _another_seed(seed: Any, number: int) -> Any:
    if isinstance(seed, int | np.integer | np.ndarray):
        return keyed.mix(seed, number).astype(np.int64)
    import tensorflow as tf

    from rotkeras.data import randomness

    return tf.bitcast(randomness.mix(seed, number), tf.int64)
