"""Callbacks that only one of several processes has."""

from typing import Any

import keras

from rotkeras.arguments.checked import checked
from rotkeras.backbones import taps
from rotkeras.training.hosts import alone


class InOneProcess(keras.callbacks.Callback):
    """Let one of several processes that train together look at the network, or write it, without
    asking the others.

    Whatever such a model computes or makes is done by all processes at once; what one of them does
    by itself, such as a probe, would wait for the others for ever.

    Args:
        callback: what that process does at the begin and the end of training and of epochs.
        on_a_copy: whether it computes with the network: then its `model` is a flat copy that
            belongs to this process.
    """

    @checked
    def __init__(self, callback: keras.callbacks.Callback, on_a_copy: bool = False) -> None:
        super().__init__()
        self.callback = callback
        self.on_a_copy = on_a_copy
        self._copy: keras.Model | None = None

    def set_params(self, params: dict[str, Any]) -> None:
        """Hand them on."""
        super().set_params(params)
        self.callback.set_params(params)

    def set_model(self, model: keras.Model) -> None:
        """Hand it on."""
        super().set_model(model)
        if not self.on_a_copy:
            self.callback.set_model(model)

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Hand it on."""
        self._call("on_train_begin", logs)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Hand it on."""
        self._call("on_epoch_begin", epoch, logs)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Hand it on; what is added to the logs is seen by the callbacks that follow."""
        self._call("on_epoch_end", epoch, logs)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Hand it on."""
        self._call("on_train_end", logs)

    def _call(self, hook: str, *arguments: Any) -> None:
        with alone():
            if self.on_a_copy:
                there = taps.flat(self.model)
                if self._copy is None:
                    self._copy = taps.untrained_copy(there)
                    self.callback.set_model(self._copy)
                self._copy.set_weights(there.get_weights())
            getattr(self.callback, hook)(*arguments)
