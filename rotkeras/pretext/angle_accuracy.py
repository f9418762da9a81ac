"""Rotation accuracy for each angle."""

from collections.abc import Sequence
from typing import Any

import keras


@keras.saving.register_keras_serializable(package="rotkeras")
class AngleAccuracy(keras.metrics.Metric):
    """Accuracy on the views of each angle.

    The class is registered, so that compiled models load where rotkeras is imported.

    Args:
        angles: in degrees, in the order of the labels.
        name: name of the metric.

    The result is a dictionary with one float32 scalar per angle, `accuracy/<angle>`; 0 for an angle
    not seen yet. `update_state` takes integer labels (…,) and logits (…, K).
    """

    def __init__(self, angles: Sequence[int], name: str = "angle_accuracy", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        self.angles = tuple(angles)
        self.right = self.add_variable((len(self.angles),), "zeros", name="right")
        self.seen = self.add_variable((len(self.angles),), "zeros", name="seen")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Count a batch; `sample_weight` (…,) weighs each view."""
        ops = keras.ops
        labels = ops.reshape(ops.cast(y_true, "int32"), (-1,))
        predicted = ops.reshape(ops.argmax(y_pred, axis=-1), (-1,))
        weight = ops.one_hot(labels, len(self.angles), dtype=self.dtype)
        if sample_weight is not None:
            weight = weight * ops.reshape(ops.cast(sample_weight, self.dtype), (-1, 1))
        hit = ops.cast(ops.equal(labels, ops.cast(predicted, "int32")), self.dtype)[:, None]
        self.right.assign_add(ops.sum(weight * hit, axis=0))
        self.seen.assign_add(ops.sum(weight, axis=0))

    def result(self) -> dict[str, Any]:
        """`{"accuracy/0": …, "accuracy/90": …}`."""
        share = keras.ops.divide_no_nan(self.right, self.seen)
        return {f"accuracy/{angle}": share[position] for position, angle in enumerate(self.angles)}

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {**super().get_config(), "angles": self.angles}
