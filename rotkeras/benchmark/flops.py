"""Floating-point operations of a network, counted from its layers."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras

from rotkeras.arguments.checked import checked


@dataclass(frozen=True)
class Work:
    """What a network computes for one view; a multiplication with its addition is two operations.

    Attributes:
        forward: operations of the forward pass.
        training: of a training step: the forward pass, the gradient with respect to the filters of
            every layer, and that with respect to the input of every layer but the first, whose
            input is the image.
        parameters: trainable numbers.
        not_counted: kinds of layers that have weights and are none of those counted; empty for the
            backbones that ship.
    """

    forward: int
    training: int
    parameters: int
    not_counted: tuple[str, ...]


@checked
def count_flops(model: keras.Model) -> Work:
    """Count the operations of convolutions (grouped and depthwise ones too) and dense layers.

    Batch norm, activations, pooling and the loss are not counted: they are less than a hundredth of
    the operations of a NIN, though not of its time.

    Args:
        model: a Keras model of one view, (B, H, W, C) -> (B, …), with known H and W and its layers
            in the order of the forward pass, as functional models have them.

    Returns:
        The `Work` of one view.
    """
    forward = training = 0
    not_counted: dict[str, None] = {}
    for layer in _layers(model):
        operations = _forward(layer)
        if operations is None:
            if layer.trainable_variables and type(layer).__name__ != "BatchNormalization":
                not_counted[type(layer).__name__] = None
            continue
        training += operations * (3 if forward else 2)
        forward += operations
    training += sum(_forward(layer) or 0 for each in _followers(model) for layer in _layers(each))
    parameters = sum(math.prod(variable.shape) for variable in model.trainable_variables)
    return Work(forward, training, parameters, tuple(not_counted))


def _followers(model: Any) -> Iterator[Any]:
    """The copies of models that trail them, which have a forward pass alone."""
    for layer in model._flatten_layers():
        if hasattr(layer, "follow"):
            yield layer.copy


def _layers(model: Any) -> Iterator[Any]:
    for layer in model.layers:
        if hasattr(layer, "layers"):
            yield from _layers(layer)
        else:
            yield layer


def _forward(layer: Any) -> int | None:
    """Operations of a layer for one view, None for a layer that is not counted."""
    import keras

    kinds = (
        keras.layers.Dense,
        keras.layers.Conv1D,
        keras.layers.Conv2D,
        keras.layers.DepthwiseConv2D,
    )
    if not isinstance(layer, kinds):
        return None
    kernel: tuple[int, ...] = layer.kernel.shape
    # Of whole views, where a layer is used for smaller ones too.
    output: tuple[int, ...] = layer._inbound_nodes[0].output_tensors[0].shape[1:]
    if isinstance(layer, keras.layers.Dense):
        return 2 * math.prod(output[:-1]) * math.prod(kernel)
    # Every place of the output applies the whole kernel, whose third side is the channels of one
    # group. (Zeros of a padding are multiplied too: that is how a product of matrices computes it,
    # and how TensorFlow's profiler counts.)
    channels = output[0] if layer.data_format == "channels_first" else output[-1]
    return 2 * (math.prod(output) // channels) * math.prod(kernel)
