"""The loss of instance discrimination as a Keras object."""

from typing import Any

import keras

from rotkeras.pretext.losses.nce import nce

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
