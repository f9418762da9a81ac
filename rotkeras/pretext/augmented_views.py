"""Augmented views of a batch of images, each view by steps and random numbers of its own."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from rotkeras.data import keyed
from rotkeras.data.augmentation import key_of_step
from rotkeras.data.keyed import Key
from rotkeras.errors import must

Tensor = Any

_FIRST_VIEW = 7_000
"""Number that makes the seed of a view, far from those of augmentations."""
_LEAST_SIDE = 8
"""Pixels of a side of a small crop, as of any image."""


class AugmentedViews:
    """Some views of each image.

    Args:
        steps: the augmentations of each view, in order; the first is a
            `rotkeras.data.augmentation.random_resized_crop`.
        first: the number of the first view. Views of other numbers have other random numbers.
    """

    def __init__(self, steps: Sequence[Sequence[Any]], first: int = 0) -> None:
        self.steps = [list(each) for each in steps]
        self.first = first

    def of_images(self, images: Tensor, key: Key) -> list[Tensor]:
        """The views, inside `tf.data` or in NumPy.

        Args:
            images: uint8 (B, H, W, 3), a tensor or an array.
            key: what randomness is a function of.

        Returns:
            uint8 (B, h, w, 3) for each view.
        """
        return self.of_photographs(lambda crop, of_crop: crop(images, of_crop), key)

    def of_photographs(self, cut: Callable[[Any, Key], Any], key: Key) -> list[Tensor]:
        """The same views, whose crops are cut from photographs that stay encoded.

        Args:
            cut: (crop, key) -> uint8 (B, h, w, 3), the crops of the images that are meant.
            key: as for `of_images`.
        """
        views = []
        for number, (crop, *others) in enumerate(self.steps, self.first):
            of_view = _key_of_view(key, number)
            made = cut(crop, key_of_step(of_view, 0))
            for place, step in enumerate(others, 1):
                made = step(made, key_of_step(of_view, place))
            views.append(made)
        return views

    def draw(self, key: Key) -> Any:
        """What is random, drawn on the host: int32 (B, `width`), the numbers of one view after the
        other."""
        drawn = [
            step.draw(key_of_step(_key_of_view(key, number), place))
            for number, steps in enumerate(self.steps, self.first)
            for place, step in enumerate(steps)
        ]
        return beside(drawn)

    @property
    def width(self) -> int:
        """Columns of `draw`."""
        return sum(len(step.undrawn) for steps in self.steps for step in steps)

    def apply(self, images: Tensor, drawn: Tensor) -> list[Tensor]:
        """The views inside the step, by `keras.ops`, within three grey levels of those of the host:
        crops differ by one at most, which a change of contrast may enlarge.

        Args:
            images: uint8 (B, H, W, 3).
            drawn: int32 (B, `width`), as `draw` made it.
        """
        views, begin = [], 0
        for steps in self.steps:
            made = images
            for step in steps:
                end = begin + len(step.undrawn)
                made, begin = step.apply(made, drawn[:, begin:end]), end
            views.append(made)
        return views


def library_of(values: Any) -> Any:
    """NumPy for arrays, TensorFlow for its tensors: on the host, batches are of the one or the
    other."""
    if isinstance(values, np.ndarray):
        return np
    import tensorflow as tf

    return tf


def interleaved(views: Sequence[Tensor], library: Any) -> Tensor:
    """Views of each image side by side: V times (B, H, W, C) -> (B·V, H, W, C).

    Args:
        views: of one size.
        library: `numpy`, `tensorflow` or `keras.ops`.
    """
    first, count = views[0], len(views)
    stacked = library.reshape(library.stack(list(views), axis=1), (-1, *first.shape[1:]))
    if first.shape[0] is None or not hasattr(library, "ensure_shape"):
        return stacked
    return library.ensure_shape(stacked, (count * first.shape[0], *first.shape[1:]))


def small_side(setting: str, share: float, shape: Any) -> int:
    """Pixels of each side of crops that are smaller than their images.

    Args:
        setting: the name of the setting that says how large they are.
        share: its value, a share of the shorter side.
        shape: (H, W, 3) of the images.

    Raises:
        UserError: for crops of less than 8 pixels.
    """
    shorter = min(shape[0], shape[1])
    side: int = round(share * shorter)
    if side < _LEAST_SIDE:
        raise must(
            setting,
            f"make small crops of at least {_LEAST_SIDE} pixels",
            share,
            f"of {shorter} pixels these are {side}",
        )
    return side


def beside(drawn: Sequence[Any]) -> Any:
    """Columns of integers side by side: (B, d) each -> (B, sum of d), in NumPy or TensorFlow."""
    if isinstance(drawn[0], np.ndarray):
        return np.concatenate(drawn, axis=1)
    import tensorflow as tf

    return tf.concat(drawn, axis=1)


def _key_of_view(key: Key, view: int) -> Key:
    """The key of one view of each image: a seed of its own."""
    if isinstance(key.index, np.ndarray):
        return key._replace(seed=keyed.mix(key.seed, _FIRST_VIEW + view).astype(np.int64))
    import tensorflow as tf

    from rotkeras.data import randomness

    return key._replace(seed=tf.bitcast(randomness.mix(key.seed, _FIRST_VIEW + view), tf.int64))
