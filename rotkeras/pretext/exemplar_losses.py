"""The loss and the metric of copies of images as Keras objects, which gather those of all
devices."""

from typing import Any

import keras
from keras import ops

from rotkeras.pretext.gather import gather
from rotkeras.pretext.losses.semi_hard_triplet import semi_hard_triplet
from rotkeras.pretext.losses.unit import unit
from rotkeras.pretext.over_devices import flat_rows

Tensor = Any


@keras.saving.register_keras_serializable(package="rotkeras")
class SemiHardTriplet(keras.losses.Loss):
    """`rotkeras.pretext.losses.semi_hard_triplet` of predictions (B·copies, d), or (B, copies, d)
    of views made inside the step; the labels, (B·copies,) or (B, copies), are images.

    Args:
        copies: of each image.
        margin: of the loss.
        **arguments: of `keras.losses.Loss`.
    """

    def __init__(self, copies: int = 8, margin: float = 0.5, **arguments: Any) -> None:
        super().__init__(**{"name": "semi_hard_triplet", **arguments})
        self.copies, self.margin = copies, margin

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """The loss of each copy: float32, of the shape of the labels."""
        rows, images = flat_rows(y_pred), _images(y_true)
        everything, of_all = gather(rows)[0], gather(images)[0]
        losses = semi_hard_triplet(rows, images, self.copies, self.margin, everything, of_all)
        return ops.reshape(losses, ops.shape(y_pred)[:-1])

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {**super().get_config(), "copies": self.copies, "margin": self.margin}


@keras.saving.register_keras_serializable(package="rotkeras")
class NearestCopyAccuracy(keras.metrics.Mean):
    """The share of copies whose nearest other copy of the batch, by cosine similarity, is of the
    same image. Ties count as wrong, so that a collapse has an accuracy of 0."""

    def update_state(self, y_true: Tensor, y_pred: Tensor, sample_weight: Any = None) -> None:
        """Count the copies of a batch.

        Args:
            y_true: images (B·copies,), or (B, copies).
            y_pred: (B·copies, d), or (B, copies, d).
            sample_weight: not used.
        """
        rows, images = unit(flat_rows(y_pred)), _images(y_true)
        (everything, offset), of_all = gather(rows), gather(images)[0]
        scores = ops.matmul(rows, ops.transpose(everything))
        places = ops.arange(ops.shape(rows)[0]) + ops.cast(offset, "int32")
        itself = places[:, None] == ops.arange(ops.shape(everything)[0])[None]
        same = images[:, None] == of_all[None]
        own = ops.max(
            ops.where(ops.logical_and(same, ops.logical_not(itself)), scores, -9.0), axis=1
        )
        other = ops.max(ops.where(same, -9.0, scores), axis=1)
        super().update_state(ops.cast(own > other, "float32"))


def _images(y_true: Tensor) -> Tensor:
    """Labels of any shape as int32 rows; Keras gives them to losses as floats."""
    return ops.cast(ops.reshape(y_true, (-1,)), "int32")
