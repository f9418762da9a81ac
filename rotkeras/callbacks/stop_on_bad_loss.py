"""Stop at a loss that is not a number, with words that help."""

import math
from typing import Any

import keras

from rotkeras.errors import UserError


class StopOnBadLoss(keras.callbacks.Callback):
    """Raise a `UserError` as soon as the loss is NaN or infinite; it says when, and what to try.

    Unlike `keras.callbacks.TerminateOnNaN` it ends `fit` with an error, so that no later callback saves the broken weights.
    """

    def __init__(self) -> None:
        super().__init__()
        self._epoch = 0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Remember the epoch."""
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Look at the loss."""
        loss = (logs or {}).get("loss")
        if loss is not None and not math.isfinite(loss):
            rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
            raise UserError(
                f"The loss became {loss} in epoch {self._epoch + 1}, step {batch + 1}, at learning rate {rate:g}: expected a "
                f"finite number; try a lower train.learning_rate, a schedule that warms up, or train.precision float32."
            )
