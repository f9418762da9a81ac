"""Validation and callbacks that see the exponential averages of the weights."""

from contextlib import nullcontext
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from rotkeras.errors import UserError


class AveragedWeights(keras.callbacks.Callback):
    """Put the optimizer's exponential averages into the model while it is validated, and at the end
    of an epoch for the callbacks that follow; the trained weights return afterwards, bit for bit.

    The optimizer keeps the averages (`use_ema=True`): after step t, a_t = m·a_(t−1) + (1 − m)·w_t,
    and a_1 = w_1. `fit` itself leaves them in the model when it ends. The statistics of batch norm
    are moving averages already and stay as they are.

    Put it before the callbacks that should see the averages, and its `put_back` after them, in
    front of what saves the state of training. `keras.callbacks.SwapEMAWeights` exchanges the two by
    sums and differences, which changes their last bits at every epoch, and leaves the averages in
    the place of the weights in a checkpoint.

    Attributes:
        put_back: the callback that returns the trained weights.

    Raises:
        UserError: at the beginning of training, when the optimizer keeps no averages.

    Reference:
        Polyak, Juditsky, Acceleration of Stochastic Approximation by Averaging, SIAM Journal on
        Control and Optimization, 1992; in exponential form as Keras' optimizers have it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.put_back = _PutBack(self)
        self._trained: list[NDArray[Any]] | None = None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Check the optimizer."""
        if not any(each.use_ema for each in _optimizers(self.model)):
            raise UserError(
                "AveragedWeights needs an optimizer that keeps averages; compile the model with one"
                " of use_ema=True."
            )
        self._trained = None

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Return the trained weights, unless `put_back` did."""
        self.leave()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Put the averages into the model."""
        self.enter()

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Put the averages into the model."""
        self.enter()

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        """Return the trained weights."""
        self.leave()

    def enter(self) -> None:
        """Put the averages into the model; before the first step there are none."""
        if self._trained is not None or not int(_numpy(self.model.optimizer.iterations)):
            return
        pairs = averages(self.model)
        self._trained = [_numpy(variable) for variable, _ in pairs]
        _assign(self.model, pairs, [_numpy(average) for _, average in pairs])

    def leave(self) -> None:
        """Return the trained weights."""
        if self._trained is not None:
            _assign(self.model, averages(self.model), self._trained)
            self._trained = None


class _PutBack(keras.callbacks.Callback):
    def __init__(self, averaged: AveragedWeights) -> None:
        super().__init__()
        self.averaged = averaged

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.averaged.leave()


def averages(model: Any) -> list[tuple[Any, Any]]:
    """(weight, its average) of every weight that the model's optimizer keeps an average of."""
    found = []
    for each in _optimizers(model):
        # Keras has no public name for them; its own SwapEMAWeights reads these two.
        kept = getattr(each, "_model_variables_moving_average", None) or []
        pairs = zip(each._trainable_variables, kept, strict=True) if kept else ()
        found += [(weight, average) for weight, average in pairs if average is not None]
    return found


def _optimizers(model: Any) -> list[Any]:
    optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)  # LossScaleOptimizer
    return list(getattr(optimizer, "optimizers", None) or [optimizer])  # MultiOptimizer


def _assign(model: Any, pairs: list[tuple[Any, Any]], values: list[NDArray[Any]]) -> None:
    strategy = getattr(model, "distribute_strategy", None)
    with strategy.scope() if strategy else nullcontext():
        for (variable, _), value in zip(pairs, values, strict=True):
            variable.assign(value)


def _numpy(variable: Any) -> NDArray[Any]:
    # A copy: on a CPU the array may be the variable's own memory.
    return np.array(keras.ops.convert_to_numpy(variable))
