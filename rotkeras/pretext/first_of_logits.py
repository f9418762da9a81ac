"""The loss and the metric of rows of logits whose first is the right one, as Keras objects."""

from typing import Any

import keras
from keras import ops

from rotkeras.pretext.losses.info_nce import loss_of_logits

Tensor = Any


@keras.saving.register_keras_serializable(package="rotkeras")
class InfoNCE(keras.losses.Loss):
    """The cross-entropy of the first of the logits (B, 1 + K), as
    `rotkeras.pretext.losses.info_nce` has it; the labels are not used.

    Args:
        **arguments: of `keras.losses.Loss`.
    """

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**{"name": "info_nce", **arguments})

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """The loss of each query: float32 (B,)."""
        return loss_of_logits(y_pred)


@keras.saving.register_keras_serializable(package="rotkeras")
class FirstOfRow(keras.metrics.Mean):
    """The share of rows whose first logit is greater than all others; ties count as wrong, so that
    a collapse has an accuracy of 0."""

    def update_state(self, y_true: Tensor, y_pred: Tensor, sample_weight: Any = None) -> None:
        """Count the rows of a batch.

        Args:
            y_true: not used.
            y_pred: (B, 1 + K).
            sample_weight: not used.
        """
        right = y_pred[..., 0] > ops.max(y_pred[..., 1:], axis=-1)
        super().update_state(ops.cast(right, "float32"))
