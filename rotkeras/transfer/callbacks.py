"""What happens at the end of a fine-tuning's epochs."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np


class ValidationScore(keras.callbacks.Callback):
    """Put the goal's number on validation into the logs, as `val_<key>`.

    Args:
        key: of the goal's score.
        measure: gives the number, by the weights that are there.
    """

    def __init__(self, key: str, measure: Callable[[], float]) -> None:
        super().__init__()
        self.key, self.measure = key, measure

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Measure."""
        if logs is not None:
            logs[f"val_{self.key}"] = self.measure()


class BestWeights(keras.callbacks.Callback):
    """Keep the weights of the best epoch, and stop when no epoch has been better for a while.

    One object may see several `fit`s of a model: the best epoch is that of all of them.

    Args:
        metric: in the logs; higher is better.
        patience: epochs of one `fit` without a better one after which it stops; None never stops.

    Attributes:
        best: the highest value; -inf before the first epoch.
        epoch: of it, counted from 1; 0 before.
        stopped: the last epoch of the `fit` that was stopped; None if none was.
    """

    def __init__(self, metric: str, patience: int | None = None) -> None:
        super().__init__()
        self.metric, self.patience = metric, patience
        self.best, self.epoch = -math.inf, 0
        self.stopped: int | None = None
        self._weights: Sequence[Any] | None = None
        self._waited = 0

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Begin to wait anew."""
        self._waited = 0

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Compare."""
        value = float((logs or {})[self.metric])
        # What is no number is never the best, and of equal epochs the first is.
        if value > self.best:
            self.best, self.epoch, self._waited = value, epoch + 1, 0
            self._weights = [np.copy(each) for each in self.model.get_weights()]
            return
        self._waited += 1
        if self.patience is not None and self._waited >= self.patience:
            self.model.stop_training = True
            self.stopped = epoch + 1

    def restore(self) -> None:
        """Give the model the weights of the best epoch."""
        if self._weights is not None:
            self.model.set_weights(self._weights)
