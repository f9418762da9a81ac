"""A copy of an encoder for images of another size: fine-tuning changes the copy alone."""

from typing import Any

import keras

from rotkeras.backbones import taps
from rotkeras.errors import UserError, brief


def copy_at(network: keras.Model, input_shape: tuple[int, ...] | None = None) -> keras.Model:
    """A flat copy of a network with taps, with the same weights, sharing nothing with it.

    Its layers belong to this graph alone, which keras-cv needs: it finds maps by `layer.output`.

    Args:
        network: a model with taps.
        input_shape: (H, W, 3) of the images; None for those of the network.

    Raises:
        UserError: for a network without taps, and a size that it cannot take.
    """
    inner = taps.flat(network)
    taps.names(inner)
    given: Any = inner.inputs[0]
    shape = tuple(given.shape[1:]) if input_shape is None else tuple(input_shape)
    images = keras.Input(shape, dtype=given.dtype, name=given.name)
    try:
        # Without what `compile` added: cloning would look for its metrics' classes.
        made: Any = keras.models.clone_model(
            keras.Model(inner.inputs, inner.outputs), input_tensors=[images]
        )
    except Exception as error:
        raise UserError(
            f"The network {inner.name!r} cannot take images of {shape} ({brief(error)}). Use a size"
            f" near {tuple(given.shape[1:])}, or a network that ends in a feature map."
        ) from error
    made.set_weights(inner.get_weights())
    return keras.Model(made.inputs, made.outputs, name=inner.name)
