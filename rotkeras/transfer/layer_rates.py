"""Learning rates that fall from the head to the image."""

from collections.abc import Callable
from typing import Any

import keras

from rotkeras.backbones import taps


def layer_rates(
    model: keras.Model,
    encoder_taps: list[str],
    decay: float,
    make: Callable[[float], keras.optimizers.Optimizer],
) -> keras.optimizers.Optimizer:
    """An optimizer whose learning rate is multiplied by `decay` for each stage before the last.

    Args:
        model: what is trained, flat or with nested models, its optimizer not yet built.
        encoder_taps: the encoder's taps in order; a stage is what lies before one of them.
        decay: the factor; 1 gives one optimizer for all.
        make: factor of the learning rate -> optimizer.

    Returns:
        `make(1.0)`, or a stock `keras.optimizers.MultiOptimizer`: the head and layers behind the
        last tap have factor 1, the last stage too, the stage before it `decay`, and so on.

    Reference:
        Howard and Ruder, Universal Language Model Fine-tuning, ACL 2018, section 3.2
        (discriminative fine-tuning).
    """
    if decay == 1.0:
        return make(1.0)
    stages = _stages(model, encoder_taps)
    last = len(encoder_taps) - 1
    optimizers = [make(decay ** (last - number)) for number in range(last + 1)]

    def of(variable: Any) -> keras.optimizers.Optimizer:
        return optimizers[stages.get(id(variable), last)]

    return keras.optimizers.MultiOptimizer(of)


def _stages(model: keras.Model, encoder_taps: list[str]) -> dict[int, int]:
    """id of a variable -> the number of its stage."""
    found: dict[int, int] = {}
    inner = _holder(model, encoder_taps)
    for number, tap in enumerate(encoder_taps):
        before = keras.Model(inner.inputs, taps.output(inner, tap))
        for variable in before.trainable_variables:
            found.setdefault(id(variable), number)
    return found


def _holder(model: Any, encoder_taps: list[str]) -> Any:
    """The functional model that has the taps among its own layers."""
    names = {layer.name for layer in model.layers}
    if set(encoder_taps) <= names:
        return model
    for layer in model.layers:
        if isinstance(layer, keras.Model) and set(encoder_taps) <= {e.name for e in layer.layers}:
            return layer
    return taps.flat(model)
