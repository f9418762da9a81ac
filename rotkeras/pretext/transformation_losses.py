"""The loss and the metric of predicted transformations, as Keras objects."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from rotkeras.errors import must
from rotkeras.pretext.losses.half_squared_distance import half_squared_distance
from rotkeras.pretext.transformations import varies

Tensor = Any


@keras.saving.register_keras_serializable(package="rotkeras")
class HalfSquaredDistance(keras.losses.Loss):
    """`rotkeras.pretext.losses.half_squared_distance` of parameters (B, P), or (B, 1, P) of views
    made inside the step, and predictions (B, P).

    Args:
        **arguments: of `keras.losses.Loss`.
    """

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**{"name": "half_squared_distance", **arguments})

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """The loss of each pair: float32 (B,)."""
        return half_squared_distance(_like(y_true, y_pred), y_pred)


@keras.saving.register_keras_serializable(package="rotkeras")
class ExplainedVariance(keras.metrics.Metric):
    """The share of the variance of the parameters that predictions explain: the mean over
    parameters of 1 − (mean squared error) / variance. 1 is perfect; 0 is the mean of a parameter as
    the prediction, or anything worse.

    Args:
        variances: of each parameter, over all transformations that are drawn. A parameter that
            does not vary is left out; one at least must vary.
        name: of the metric.
        **arguments: of `keras.metrics.Metric`.

    Raises:
        UserError: where no parameter varies.
    """

    def __init__(
        self, variances: Sequence[float], name: str = "explained", **arguments: Any
    ) -> None:
        super().__init__(name=name, **arguments)
        self.variances = [float(each) for each in variances]
        if not varies(np.asarray(self.variances)).any():
            raise must("variances", "have one at least that is not 0", self.variances)
        self.squares = self.add_variable((len(self.variances),), "zeros", name="squares")
        self.count = self.add_variable((), "zeros", name="count")

    def update_state(self, y_true: Tensor, y_pred: Tensor, sample_weight: Any = None) -> None:
        """Add the errors of a batch.

        Args:
            y_true: parameters (B, P), or (B, 1, P).
            y_pred: predictions (B, P).
            sample_weight: not used.
        """
        apart = ops.cast(_like(y_true, y_pred), "float32") - ops.cast(y_pred, "float32")
        self.squares.assign_add(ops.sum(ops.square(apart), axis=0))
        self.count.assign_add(ops.cast(ops.shape(y_pred)[0], "float32"))

    def result(self) -> Tensor:
        """The share: a float32 scalar from 0 to 1."""
        variances = np.asarray(self.variances)
        there = varies(variances)
        weights = np.where(there, 1 / np.where(there, variances, 1.0), 0.0)
        error = ops.sum(self.squares * ops.convert_to_tensor(weights, "float32")) / ops.maximum(
            self.count, 1.0
        )
        return ops.maximum(1.0 - error / int(there.sum()), 0.0)

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {**super().get_config(), "variances": self.variances}


def _like(y_true: Tensor, y_pred: Tensor) -> Tensor:
    """Parameters in the shape of their predictions."""
    return ops.reshape(y_true, (-1, y_pred.shape[-1]))
