"""Losses that compare the rows of a batch, as Keras objects that see those of all devices."""

from typing import Any

import keras
from keras import ops

from rotkeras.pretext.gather import gather

Tensor = Any


class OverDevices(keras.losses.Loss):
    """The base of losses over the rows of a batch, whose labels are not used.

    Under `tf.distribute` each replica has a part of the batch, and the rows of all are gathered
    with their gradients; on JAX `jit` sees the whole batch.

    A subclass has `of_rows`, and `row_rank`, the number of dimensions of a row: 1 for a vector,
    2 for several vectors.
    """

    row_rank = 1

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """The loss of each row: float32 (R,) of predictions (R, …), or (B, V) of those of views
        made inside the step, (B, V, …)."""
        rows = flat_rows(y_pred, self.row_rank)
        everything, offset = gather(rows)
        losses = self.of_rows(rows, everything, offset)
        lead = ops.shape(y_pred)[: len(y_pred.shape) - self.row_rank]
        return ops.reshape(ops.broadcast_to(losses, ops.shape(rows)[:1]), lead)

    def of_rows(self, rows: Tensor, everything: Tensor, offset: Any) -> Tensor:
        """The loss of each row (R,), or one loss of the whole batch.

        Args:
            rows: float32 (R, …), of this device.
            everything: float32 (N, …), of all devices.
            offset: where the first of the rows is in everything.
        """
        raise NotImplementedError


def flat_rows(y_pred: Tensor, row_rank: int = 1) -> Tensor:
    """Predictions as float32 rows: (R, …) as they are, (B, V, …) as (B·V, …)."""
    shape = tuple(y_pred.shape)[len(y_pred.shape) - row_rank :]
    return ops.reshape(ops.cast(y_pred, "float32"), (-1, *shape))
