"""The loss and metric of SwAV as Keras objects, which assign the views of all devices together."""

from typing import Any

import keras
from keras import ops

from rotkeras.pretext.gather import gather
from rotkeras.pretext.losses.sinkhorn import sinkhorn
from rotkeras.pretext.losses.swapped_prediction import swapped_prediction
from rotkeras.pretext.over_devices import OverDevices, flat_rows

Tensor = Any

_ASSIGNED = 2
"""Views with assignments: the whole ones, which come first."""
_MARGIN = 1.001
"""How much larger the highest share of an assignment must be than the next: in a collapse all are
equal but for rounding."""


@keras.saving.register_keras_serializable(package="rotkeras")
class SwappedPrediction(OverDevices):
    """`rotkeras.pretext.losses.swapped_prediction` of scores (B, V, K), where the first two views
    are assigned by `rotkeras.pretext.losses.sinkhorn`; the labels are not used.

    Args:
        temperature: of the loss.
        epsilon: of the assignments.
        iterations: of the assignments.
        **arguments: of `keras.losses.Loss`.
    """

    row_rank = 2

    def __init__(
        self,
        temperature: float = 0.1,
        epsilon: float = 0.05,
        iterations: int = 3,
        **arguments: Any,
    ) -> None:
        super().__init__(**{"name": "swapped_prediction", **arguments})
        self.temperature = temperature
        self.epsilon = epsilon
        self.iterations = iterations

    def of_rows(self, rows: Tensor, everything: Tensor, offset: Any) -> Tensor:
        """The loss of each image."""
        assigned = assign(rows, everything, offset, self.epsilon, self.iterations)
        return swapped_prediction(rows, assigned, self.temperature)

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {
            **super().get_config(),
            "temperature": self.temperature,
            "epsilon": self.epsilon,
            "iterations": self.iterations,
        }


@keras.saving.register_keras_serializable(package="rotkeras")
class AssignmentAgreement(keras.metrics.Mean):
    """The share of whole views whose nearest prototype is the one that the other whole view of the
    image is assigned to. Ties count as wrong, so a collapse gives 0.

    Args:
        epsilon: of the assignments.
        iterations: of the assignments.
        **arguments: of `keras.metrics.Mean`.
    """

    def __init__(self, epsilon: float = 0.05, iterations: int = 3, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.epsilon = epsilon
        self.iterations = iterations

    def update_state(self, y_true: Tensor, y_pred: Tensor, sample_weight: Any = None) -> None:
        """Count the views of a batch.

        Args:
            y_true: not used.
            y_pred: (B, V, K).
            sample_weight: not used.
        """
        rows = flat_rows(y_pred, 2)
        everything, offset = gather(rows)
        assigned = assign(rows, everything, offset, self.epsilon, self.iterations)
        nearest = ops.one_hot(ops.argmax(rows[:, :_ASSIGNED], axis=-1), rows.shape[-1])
        share = ops.flip(assigned, axis=1)
        hit = ops.sum(nearest * share, axis=-1)
        other = ops.max(ops.where(nearest > 0, 0.0, share), axis=-1)
        super().update_state(ops.cast(hit > _MARGIN * other, "float32"))

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {
            **super().get_config(),
            "epsilon": self.epsilon,
            "iterations": self.iterations,
        }


def assign(
    rows: Tensor, everything: Tensor, offset: Any, epsilon: float, iterations: int
) -> Tensor:
    """Assignments of the first two views of rows (B, V, K) among those of all devices (N, V, K),
    each view by itself, as published: float32 (B, 2, K)."""
    count = ops.shape(rows)[0]
    found = [
        sinkhorn(everything[:, view], iterations, epsilon)[offset : offset + count]
        for view in range(_ASSIGNED)
    ]
    return ops.stack(found, axis=1)
