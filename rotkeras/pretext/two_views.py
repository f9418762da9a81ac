"""What tasks of two augmented views of each image share."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from rotkeras.data.keyed import Key
from rotkeras.data.solarize import random_solarize
from rotkeras.pretext.augmented_task import AugmentedTask
from rotkeras.pretext.augmented_views import AugmentedViews
from rotkeras.pretext.base import Monitor

Tensor = Any


class TwoViews(AugmentedTask):
    """The base of tasks that compare two augmented views of each image.

    A task calls `make_views` in its constructor, and has `build_model`, `criterion`, `method` and,
    where contrastive accuracy among the views of a batch is not what tells whether it learns,
    `metrics`, `monitor` and `chance`.
    """

    least_images_per_batch = 2
    spans_batch = True
    monitor = Monitor("accuracy", "contrastive accuracy", "contrastive")

    def make_views(
        self,
        crop_scale: Sequence[float],
        color_strength: float,
        grayscale: float,
        blur: float,
        solarize: float = 0.0,
    ) -> None:
        """Keep the settings of the augmentations, and make the two views of them; `solarize` is the
        share of the second views that are solarized."""
        self.keep_augmentations(crop_scale, color_strength, grayscale, blur)
        self.solarize = solarize
        second = [*self.steps(), *([random_solarize(solarize)] if solarize else [])]
        self.augmented = AugmentedViews([self.steps(), second])

    def chance(self, images_per_batch: int) -> float:
        """The contrastive accuracy of a network that guesses: one of 2N − 1 other views."""
        return 1 / (2 * images_per_batch - 1)

    def views(self, images: Tensor, key: Key) -> tuple[Any, Any]:
        """Two augmented views of each image, inside `tf.data` or in NumPy.

        Args:
            images: uint8 (B, H, W, 3), a tensor or an array.
            key: what randomness is a function of.

        Returns:
            (x, y): x uint8 (2B, H, W, 3), the views of an image side by side; y int32 (2B,), the
            position of each view's partner in the batch.
        """
        return super().views(images, key)

    def labels(self, drawn: Any) -> Any:
        """y of the views that `apply` makes, on the host: int32 (B, 2), the position of each
        view's partner; `drawn` is of any shape (B, …)."""
        if isinstance(drawn, np.ndarray):
            positions = np.arange(2 * len(drawn), dtype=np.int32).reshape(-1, 2)
            return positions[:, ::-1]
        import tensorflow as tf

        positions = tf.reshape(tf.range(2 * tf.shape(drawn)[0]), (-1, 2))
        return tf.ensure_shape(tf.reverse(positions, [1]), (drawn.shape[0], 2))

    def metrics(self) -> list[Any]:
        """Contrastive accuracy: the share of views that are most similar to their partner."""
        from rotkeras.pretext.contrastive import ContrastiveAccuracy

        return [ContrastiveAccuracy(name="accuracy")]
