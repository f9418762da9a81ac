"""Cross-entropy as one of several losses."""

from typing import Any

import keras
from keras import ops

Tensor = Any


@keras.saving.register_keras_serializable(package="rotkeras")
class WeightedCrossentropy(keras.losses.Loss):
    """weight · cross-entropy of logits and integer labels.

    Args:
        weight: of this loss among the others of a model.
        **arguments: of `keras.losses.Loss`.
    """

    def __init__(self, weight: float = 1.0, **arguments: Any) -> None:
        super().__init__(**{"name": "weighted_crossentropy", **arguments})
        self.weight = weight

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """Of each row: (R,) labels and (R, K) logits -> (R,); (B, V) and (B, V, K) -> (B, V)."""
        logits = ops.cast(y_pred, "float32")
        labels = ops.reshape(ops.cast(y_true, "int32"), ops.shape(logits)[:-1])
        return self.weight * ops.sparse_categorical_crossentropy(labels, logits, from_logits=True)

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {**super().get_config(), "weight": self.weight}
