"""Quantization-aware training: a network learns with weights and activations rounded to int8."""

from typing import Any

import keras
from keras import ops

from rotkeras.arguments.checked import checked

_STEPS = 127.0


@checked
def round_to_int8(model: keras.Model) -> int:
    """Let convolutions and dense layers train with kernels, inputs and outputs rounded to int8.

    Kernels are rounded channel by channel, symmetrically; inputs and outputs by the least and the
    greatest number of the batch, zero included. An output is that of the batch norm behind a
    convolution, which a file folds into it, and behind that of a ReLU; of a batch norm before
    hard-swish or an addition it is rounded itself. Gradients pass the rounding as if it were not
    there (straight-through). Kernels need no folding: batch norm scales whole channels, which
    changes no rounding of theirs. At inference nothing is rounded.

    As `fuse_batch_norm` it changes the model in memory alone: layers stay stock
    layers, and no file carries it. Call it before `compile`.

    Args:
        model: a Keras model; changed in place, with the models nested in it.

    Returns:
        The number of layers that are rounded.

    Reference:
        Jacob et al., Quantization and Training of Neural Networks for Efficient
        Integer-Arithmetic-Only Inference, CVPR 2018, section 3.
    """
    count = 0
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            count += round_to_int8(layer)
        elif type(layer) in _PRODUCTS:
            if not isinstance(layer.call, _Rounded):
                layer.call = _Rounded(layer, _ends_here(layer))
            count += 1
        elif (
            isinstance(layer, keras.layers.BatchNormalization)
            and _ends_here(layer)
            and not isinstance(layer.call, _RoundedOutput)
        ):
            layer.call = _RoundedOutput(layer)
    return count


def is_rounded(layer: Any) -> bool:
    """Whether `round_to_int8` has changed a layer."""
    return isinstance(layer.call, _Rounded)


def _ends_here(layer: Any) -> bool:
    """Whether what a file computes in one step ends with this layer: no batch norm and no ReLU
    follows."""
    follow = [node.operation for node in getattr(layer, "_outbound_nodes", ())]
    return not follow or not all(_is_folded(each) for each in follow)


def _is_folded(operation: Any) -> bool:
    if isinstance(operation, keras.layers.BatchNormalization | keras.layers.ReLU):
        return True
    relus = (keras.activations.relu, keras.activations.relu6)
    return isinstance(operation, keras.layers.Activation) and operation.activation in relus


def rounded_kernel(kernel: Any, axes: tuple[int, ...]) -> Any:
    """A kernel as int8 keeps it, in its own dtype: whole multiples, from −127 to 127, of the
    greatest magnitude of each channel over 127.

    Args:
        kernel: of any shape.
        axes: those that a channel extends over.
    """
    whole = ops.cast(kernel, "float32")
    greatest = ops.max(ops.abs(whole), axis=axes, keepdims=True)
    scale = ops.maximum(greatest, 1e-8) / _STEPS
    return _straight_through(kernel, ops.round(whole / scale) * scale)


def rounded_activation(x: Any) -> Any:
    """Activations as int8 keeps them, in their own dtype: 256 steps from the least to the greatest
    number of the batch, of which one is zero.

    Args:
        x: (B, …).
    """
    values = ops.cast(x, "float32")
    least = ops.minimum(ops.min(values), 0.0)
    greatest = ops.maximum(ops.max(values), 0.0)
    scale = ops.maximum(greatest - least, 1e-8) / (2 * _STEPS + 1)
    zero = ops.round(least / scale)
    steps = ops.clip(ops.round(values / scale), zero, zero + 2 * _STEPS + 1)
    return _straight_through(x, steps * scale)


def _straight_through(x: Any, value: Any) -> Any:
    return x + ops.stop_gradient(ops.cast(value, x.dtype) - x)


def _convolve(layer: Any, x: Any, kernel: Any) -> Any:
    return layer.convolution_op(x, kernel)


def _convolve_depthwise(layer: Any, x: Any, kernel: Any) -> Any:
    return ops.depthwise_conv(
        x,
        kernel,
        strides=layer.strides,
        padding=layer.padding,
        dilation_rate=layer.dilation_rate,
        data_format=layer.data_format,
    )


def _multiply(_layer: Any, x: Any, kernel: Any) -> Any:
    return ops.matmul(x, kernel)


_PRODUCTS: dict[type, tuple[Any, tuple[int, ...]]] = {
    keras.layers.Conv2D: (_convolve, (0, 1, 2)),
    keras.layers.DepthwiseConv2D: (_convolve_depthwise, (0, 1)),
    keras.layers.Dense: (_multiply, (0,)),
}
"""Layer -> (its product, the axes of its kernel that a channel extends over)."""


class _Rounded:
    """The `call` of one layer."""

    def __init__(self, layer: Any, ends_here: bool) -> None:
        self.layer = layer
        self.ends_here = ends_here
        self.stock = layer.call

    def __call__(self, inputs: Any, **given: Any) -> Any:
        layer = self.layer
        if not _trains(layer):
            return self.stock(inputs, **given)
        product, axes = _PRODUCTS[type(layer)]
        kernel = rounded_kernel(ops.cast(layer.kernel, inputs.dtype), axes)
        x = product(layer, rounded_activation(inputs), kernel)
        if layer.use_bias:
            x = ops.add(x, ops.cast(layer.bias, x.dtype))
        x = x if layer.activation is None else layer.activation(x)
        return rounded_activation(x) if self.ends_here else x


class _RoundedOutput:
    """The `call` of a batch norm whose output is rounded."""

    def __init__(self, layer: Any) -> None:
        self.layer = layer
        self.stock = layer.call

    def __call__(self, inputs: Any, **given: Any) -> Any:
        x = self.stock(inputs, **given)
        return rounded_activation(x) if _trains(self.layer) else x


def _trains(layer: Any) -> bool:
    """Whether the call of the model that is under way is one of training: stock convolutions do not
    take `training`."""
    return bool(layer._get_call_context().get_value("training"))
