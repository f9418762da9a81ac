"""Callbacks that look at what a task keeps, in place of the model that is trained."""

from collections.abc import Sequence
from typing import Any

import keras


def look_at(network: keras.Model, callbacks: Sequence[Any]) -> None:
    """Let callbacks see a network as their `model`, whatever model `fit` gives them.

    The model that a task trains may take more than images, such as their index, and end in more
    than a backbone. Its `task.network(model)` shares the weights, and is what probes, attention
    maps and encoders are of.

    Args:
        network: of the same weights as the model that is trained.
        callbacks: changed in place.
    """

    def set_network(callback: Any) -> Any:
        return lambda _model: type(callback).set_model(callback, network)

    for callback in callbacks:
        callback.set_model = set_network(callback)
