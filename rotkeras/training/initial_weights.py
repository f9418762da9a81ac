"""Initial weights that do not depend on the library that Keras runs on."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np

from rotkeras.backbones.taps import hashed_seed

_INITIALIZERS = ("kernel_initializer", "depthwise_initializer")


def draw(model: keras.Model, seed: int, kept: Sequence[Any] = ()) -> None:
    """Draw the kernels of a model anew, by each layer's own initializer, with NumPy: TensorFlow and
    JAX draw differently.

    Args:
        model: built; changed in place. Weights that are not called `kernel`, and initializers other
            than `VarianceScaling` (Glorot, He, LeCun), stay as they are.
        seed: the same seed gives the same weights on every backend and machine.
        kept: layers whose weights stay, such as those of a pre-trained backbone.

    Reference:
        the distributions are those of `keras.initializers.VarianceScaling`.
    """
    left = {id(layer) for layer in kept}
    # Probes come last, so that a network has the same weights with and without them.
    found = sorted(_with_kernel(model), key=lambda each: getattr(each[0], "is_probe", False))
    for number, (layer, initializer) in enumerate(found):
        if id(layer) not in left:
            generator = np.random.default_rng(hashed_seed(seed, "weights", number))
            layer.kernel.assign(_values(initializer, layer.kernel.shape, generator))


def _with_kernel(model: keras.Model) -> Iterator[tuple[Any, Any]]:
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _with_kernel(layer)
            continue
        # A depthwise layer has the initializer of its kernel under a name of its own.
        name = _INITIALIZERS[isinstance(layer, keras.layers.DepthwiseConv2D)]
        initializer = getattr(layer, name, None)
        if isinstance(initializer, keras.initializers.VarianceScaling):
            yield layer, initializer


def _values(initializer: Any, shape: tuple[int, ...], generator: np.random.Generator) -> Any:
    field = math.prod(shape[:-2])
    fan_in, fan_out = field * shape[-2], field * shape[-1]
    fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[
        initializer.mode
    ]
    variance = initializer.scale / max(1.0, fan)
    match initializer.distribution:
        case "uniform":
            limit = math.sqrt(3 * variance)
            values = generator.uniform(-limit, limit, shape)
        case "untruncated_normal":
            values = generator.normal(0, math.sqrt(variance), shape)
        case _:  # cut at two standard deviations, whose loss of variance the constant makes good
            values = generator.normal(0, 1, shape)
            while (far := np.abs(values) > 2).any():
                values[far] = generator.normal(0, 1, int(far.sum()))
            values *= math.sqrt(variance) / 0.87962566103423978
    return values.astype(np.float32)
