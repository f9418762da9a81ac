"""The loss and metric of instance discrimination as Keras objects."""

from typing import Any

import keras
from keras import ops

from rotkeras.pretext.losses.nce import nce
from rotkeras.pretext.over_devices import flat_rows

Tensor = Any


@keras.saving.register_keras_serializable(package="rotkeras")
class NCE(keras.losses.Loss):
    """`rotkeras.pretext.losses.nce` of log-ratios (B, 1 + m); the labels are not used.

    Args:
        **arguments: of `keras.losses.Loss`.
    """

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**{"name": "nce", **arguments})

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """The loss of each image."""
        return nce(y_pred)


@keras.saving.register_keras_serializable(package="rotkeras")
class OwnRowAccuracy(keras.metrics.Mean):
    """The share of images that are more similar to their own row of the table than to each
    negative. Ties count as wrong, so a collapse gives 0."""

    def update_state(self, y_true: Tensor, y_pred: Tensor, sample_weight: Any = None) -> None:
        """Count the images of a batch.

        Args:
            y_true: not used.
            y_pred: (B, 1 + m), the own row first.
            sample_weight: not used.
        """
        ratios = flat_rows(y_pred)
        right = ratios[:, 0] > ops.max(ratios[:, 1:], axis=1)
        super().update_state(ops.cast(right, "float32"))
