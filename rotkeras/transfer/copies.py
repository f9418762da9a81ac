"""A copy of an encoder for images of another size: fine-tuning changes the copy alone."""

from typing import Any

import keras

from rotkeras.backbones import taps
from rotkeras.errors import UserError, brief


def copy_at(network: keras.Model, input_shape: tuple[int, ...] | None = None) -> keras.Model:
    """A flat copy of a network up to its last tap, with the same weights, sharing nothing with it.

    Its layers belong to this graph alone, which keras-cv needs: it finds maps by `layer.output`.

    Args:
        network: a model with taps.
        input_shape: (H, W, 3) of the images; None for those of the network.

    Raises:
        UserError: for a network without taps, and a size that it cannot take.
    """
    whole = taps.flat(network)
    # What comes behind the last tap, such as the head of a pretext task, would never be trained.
    inner: Any = keras.Model(
        whole.inputs, taps.output(whole, taps.names(whole)[-1]), name=whole.name
    )
    policy = keras.config.dtype_policy().name
    given: Any = inner.inputs[0]
    shape = tuple(given.shape[1:]) if input_shape is None else tuple(input_shape)
    images = keras.Input(shape, dtype=given.dtype, name=given.name)
    try:
        # Without what `compile` added: cloning would look for its metrics' classes.
        made: Any = keras.models.clone_model(
            keras.Model(inner.inputs, inner.outputs),
            input_tensors=[images],
            clone_function=lambda layer: _under(policy, layer),
        )
        made.set_weights(inner.get_weights())
    except Exception as error:
        raise UserError(
            f"The network {inner.name!r} cannot take images of {shape} ({brief(error)}). Use a size"
            f" near {tuple(given.shape[1:])}, or a network that ends in a feature map."
        ) from error
    (output,) = made.outputs
    return keras.Model(images, output, name=inner.name)


def in_float32(network: keras.Model) -> keras.Model:
    """A network that was trained in mixed precision as one that computes in float32, with the same
    weights; another one as it is. Its output may be a dictionary."""
    if all(
        getattr(layer, "compute_dtype", "float32") in ("float32", "uint8")
        for layer in network.layers
    ):
        return network
    given: Any = network.inputs[0]
    images = keras.Input(given.shape[1:], dtype=given.dtype, name=given.name)
    made: Any = keras.models.clone_model(
        keras.Model(network.inputs, network.outputs),
        input_tensors=[images],
        clone_function=lambda layer: _under("float32", layer),
    )
    made.set_weights(network.get_weights())
    named = isinstance(network.output, dict)  # whose order is not that of `outputs`
    outputs = (
        keras.tree.pack_sequence_as(network.output, made.outputs) if named else made.outputs[0]
    )
    return keras.Model(images, outputs, name=network.name)


def _under(policy: str, layer: keras.layers.Layer) -> keras.layers.Layer:
    """A copy of a layer with another dtype policy; what brings pixels to floats keeps float32."""
    config = layer.get_config()
    if "dtype" in config and not isinstance(
        layer, keras.layers.InputLayer | keras.layers.Rescaling | keras.layers.Normalization
    ):
        config["dtype"] = policy
    return type(layer).from_config(config)
