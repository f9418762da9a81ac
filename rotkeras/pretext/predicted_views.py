"""The loss and the metric of tasks that predict the vector of an image's other view, as Keras
objects."""

from typing import Any

import keras
from keras import ops

from rotkeras.pretext.contrastive import ContrastiveAccuracy, count_right
from rotkeras.pretext.gather import gather
from rotkeras.pretext.losses.negative_cosine import negative_cosine
from rotkeras.pretext.losses.nt_xent import partners
from rotkeras.pretext.over_devices import OverDevices, flat_rows

Tensor = Any


def packed(predictions: Tensor, targets: Tensor) -> Tensor:
    """What the objects of this module take: predictions (2B, d) and targets (2B, d) of the same
    views, side by side, symbolic -> (2B, 2, d). No gradient passes through the targets."""
    return ops.stack([predictions, ops.stop_gradient(targets)], axis=1)


@keras.saving.register_keras_serializable(package="rotkeras")
class NegativeCosine(OverDevices):
    """`rotkeras.pretext.losses.negative_cosine` of the prediction of each view and the target of
    the other view of its image, times a number, plus a number.

    Args:
        scale, offset: loss = offset + scale · negative cosine.
        **arguments: of `keras.losses.Loss`.

    Predictions are float (2B, 2, d), the prediction and the target of each view, or (B, 2, 2, d) of
    views made inside the step; the labels are not used.
    """

    row_rank = 2

    def __init__(self, scale: float = 1.0, offset: float = 0.0, **arguments: Any) -> None:
        super().__init__(**{"name": "negative_cosine", **arguments})
        self.scale, self.offset = scale, offset

    def of_rows(self, rows: Tensor, everything: Tensor, offset: Any) -> Tensor:
        """The loss of each view."""
        positions = ops.arange(ops.shape(rows)[0], dtype="int32") + ops.cast(offset, "int32")
        targets = ops.take(everything[:, 1], partners(positions), axis=0)
        return self.offset + self.scale * negative_cosine(rows[:, 0], targets)

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {**super().get_config(), "scale": self.scale, "offset": self.offset}


@keras.saving.register_keras_serializable(package="rotkeras")
class PredictionAccuracy(ContrastiveAccuracy):
    """The share of views whose prediction is, by cosine similarity, nearest to the target of their
    partner, among the targets of all other views of the batch. Ties count as wrong."""

    def update_state(self, y_true: Tensor, y_pred: Tensor, sample_weight: Any = None) -> None:
        """Count the views of a batch.

        Args:
            y_true: not used.
            y_pred: (2B, 2, d), or (B, 2, 2, d), as for `NegativeCosine`.
            sample_weight: not used.
        """
        rows = flat_rows(y_pred, 2)
        targets, offset = gather(rows[:, 1])
        keras.metrics.Mean.update_state(self, count_right(rows[:, 0], targets, offset))
