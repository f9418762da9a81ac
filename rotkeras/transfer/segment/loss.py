"""The loss of segmenters: cross-entropy over the pixels that have a class."""

from collections.abc import Sequence
from typing import Any

import keras

from rotkeras.arguments.accepted import PositiveNumber
from rotkeras.arguments.checked import checked
from rotkeras.transfer.segment.masks import VOID


@checked
def loss(class_weights: Sequence[PositiveNumber] | None = None) -> keras.losses.Loss:
    """Cross-entropy of masks (B, H, W), void 255, and probabilities (B, H, W, classes).

    Without weights it is Keras' own loss, the mean over the pixels of a batch that are not void (0
    where all are), which any process can load. With weights it is their weighted mean: the sum of
    weight times cross-entropy over the sum of weights.

    Args:
        class_weights: (classes,), how much a pixel of each class counts.
    """
    if class_weights is None:
        return keras.losses.SparseCategoricalCrossentropy(ignore_class=VOID)
    return _WeightedCrossentropy(class_weights)


class _WeightedCrossentropy(keras.losses.Loss):
    def __init__(self, class_weights: Sequence[float], name: str = "crossentropy") -> None:
        super().__init__(name=name)
        self.class_weights = [float(each) for each in class_weights]

    def get_config(self) -> dict[str, Any]:
        return {"class_weights": self.class_weights, "name": self.name}

    def call(self, y_true: Any, y_pred: Any) -> Any:
        from keras import ops

        # Void becomes a class of weight 0, one past the last.
        classes = len(self.class_weights)
        truth = ops.cast(y_true, "int32")
        weights = ops.take(
            ops.convert_to_tensor([*self.class_weights, 0.0], "float32"),
            ops.minimum(truth, classes),
        )
        losses = ops.sparse_categorical_crossentropy(ops.minimum(truth, classes - 1), y_pred)
        return ops.divide_no_nan(ops.sum(weights * losses), ops.sum(weights))
