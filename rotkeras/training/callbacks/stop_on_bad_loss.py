"""Stop at a loss that is not a number, with words that help."""

import math
from typing import Any, NoReturn

import keras
import numpy as np

from rotkeras.errors import UserError
from rotkeras.training.callbacks.rate import rate_of


class StopOnBadLoss(keras.callbacks.Callback):
    """Raise a `UserError` as soon as the loss or, at an epoch's end, a weight is NaN or infinite;
    it says when, and what to try.

    Unlike `keras.callbacks.TerminateOnNaN` it ends `fit` with an error. Put it first: then no later
    callback saves broken weights. The weights are looked at because the loss of a step is that of
    the weights before it.
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
            self._stop(f"The loss became {loss} in epoch {self._epoch + 1}, step {batch + 1}")

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Look at the validation loss and the weights."""
        loss = (logs or {}).get("val_loss")
        if loss is not None and not math.isfinite(loss):
            self._stop(f"The validation loss became {loss} in epoch {epoch + 1}")
        for variable in self.model.trainable_variables:
            if not np.isfinite(keras.ops.convert_to_numpy(variable)).all():
                self._stop(
                    f"The weights of {variable.path} became infinite or NaN in epoch {epoch + 1}"
                )

    def _stop(self, what: str) -> NoReturn:
        rate = rate_of(self.model.optimizer)
        raise UserError(
            f"{what}, at learning rate {rate:g}. Start again with a lower train.learning_rate, a"
            " schedule with warmup, or train.precision float32."
        )
