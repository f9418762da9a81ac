"""A model as tf-keras-vis needs it: flat, float32 throughout, scores without softmax."""

import itertools
from typing import Any

import keras

from rotkeras.errors import UserError


def differentiable(model: keras.Model, output: str | None = None) -> keras.Model:
    """A flat float32 copy of a classifier whose input has a gradient and whose output is scores.

    uint8 input becomes float32 (values 0 … 255 as before); layers of mixed precision compute in
    float32, so that small gradients do not vanish; a softmax at the end is left out, for its
    gradient vanishes where the network is sure. A chain that begins with a whole model
    (`Sequential([backbone, …])`) is flattened.

    Args:
        model: a classifier (B, H, W, 3) -> (B, classes), or with several such outputs.
        output: of several named outputs, the one to keep.

    Raises:
        UserError: for models nested in another way, several inputs, or an output that is not there
            or is no vector of scores.
    """
    if len(model.inputs) != 1:
        raise UserError(
            f"The model {model.name!r} must have one input, of images, got {len(model.inputs)}."
        )
    flat = _copy(_chain(model))
    scores = _choose(flat, output)
    if len(scores.shape) != 2:
        raise UserError(
            f"The output of the model {model.name!r} must be scores (B, classes), got"
            f" {tuple(scores.shape)}; pass a classifier rather than an encoder's feature map."
        )
    return keras.Model(flat.input, scores, name=model.name)


def traced(model: keras.Model) -> keras.Model:
    """The same model with its pass traced: worth it where tf-keras-vis makes many passes (five
    times as fast measured)."""
    import tensorflow as tf

    model.call = tf.function(model.call)
    return model


def _choose(model: keras.Model, output: str | None) -> Any:
    outputs = model.output
    if isinstance(outputs, dict):
        if output is None and len(outputs) == 1:
            output = next(iter(outputs))
        if output not in outputs:
            raise UserError(
                f"The model {model.name!r} has the outputs {', '.join(outputs)}, received"
                f" {output!r}: name one of them as output."
            )
        return outputs[output]
    if isinstance(outputs, list | tuple) and len(outputs) > 1:
        raise UserError(
            f"The model {model.name!r} must have one output, or named ones, got {len(outputs)}"
            " without names."
        )
    return outputs[0] if isinstance(outputs, list | tuple) else outputs


def _chain(model: keras.Model) -> keras.Model:
    """The model itself when it is flat; the flat form of a chain of layers whose first is a
    model."""
    if not any(isinstance(layer, keras.Model) for layer in model.layers):
        return model
    layers = [layer for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]
    first, *rest = layers
    joined = isinstance(model, keras.Sequential) or all(
        _comes_from(layer, before) for before, layer in itertools.pairwise(layers)
    )
    if (
        not isinstance(first, keras.Model)
        or any(isinstance(layer, keras.Model) for layer in rest)
        or not joined
    ):
        raise UserError(
            f"The model {model.name!r} must be flat, because tf-keras-vis does not support nested"
            " models; build it on backbone.output instead of calling the backbone."
        )
    inner = _chain(first)
    x = inner.output
    for layer in rest:
        x = layer(x)
    return keras.Model(inner.input, x, name=model.name)


def _comes_from(layer: Any, before: Any) -> bool:
    """Whether a layer was called once, on what the other one gave."""
    received = layer._inbound_nodes[0].input_tensors if len(layer._inbound_nodes) == 1 else []
    return len(received) == 1 and received[0]._keras_history.operation is before


def _copy(model: keras.Model) -> keras.Model:
    def without_softmax(tensor: Any) -> Any:
        operation = tensor._keras_history.operation
        return operation.input if isinstance(operation, keras.layers.Softmax) else tensor

    # A Sequential model has no `output` before it was called.
    outputs = model.outputs[0] if isinstance(model, keras.Sequential) else model.output
    outputs = keras.tree.map_structure(without_softmax, outputs)
    ends = {tensor._keras_history.operation.name for tensor in keras.tree.flatten(outputs)}

    def anew(layer: keras.layers.Layer) -> keras.layers.Layer:
        config = layer.get_config()
        if not isinstance(layer, keras.layers.Layer):  # an operation of keras.ops in the graph
            return type(layer).from_config(config)
        config["dtype"] = "float32"
        if layer.name in ends and config.get("activation") == "softmax":
            config["activation"] = "linear"
        return type(layer).from_config(config)

    images = model.inputs[0]
    flat = keras.Model(images, outputs, name=model.name)
    twin = keras.models.clone_model(
        flat,
        input_tensors=keras.Input(batch_shape=images.shape, dtype="float32", name=images.name),
        clone_function=anew,
    )
    twin.set_weights(flat.get_weights())
    return twin
