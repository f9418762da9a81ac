"""Quantization-aware training: a network learns with weights and activations rounded to int8, so
that an int8 file loses less."""

from typing import Any

import keras
from keras import ops

from rotkeras.arguments.checked import checked

_STEPS = 127.0


@checked
def round_to_int8(model: keras.Model) -> int:
    """Let convolutions and dense layers of a model train with kernels and inputs rounded to int8.

    Kernels are rounded channel by channel, symmetrically; inputs by the least and the greatest
    number of the batch, zero included. Gradients pass the rounding as if it were not there
    (straight-through). Batch norm need not be folded: it scales whole channels, which changes no
    rounding of theirs. At inference nothing is rounded.

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
                layer.call = _Rounded(layer)
            count += 1
    return count


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

    def __init__(self, layer: Any) -> None:
        self.layer = layer
        self.stock = layer.call

    def __call__(self, inputs: Any, **given: Any) -> Any:
        layer = self.layer
        # Stock convolutions do not take `training`; the call of the model knows it.
        if not layer._get_call_context().get_value("training"):
            return self.stock(inputs, **given)
        product, axes = _PRODUCTS[type(layer)]
        kernel = rounded_kernel(ops.cast(layer.kernel, inputs.dtype), axes)
        x = product(layer, rounded_activation(inputs), kernel)
        if layer.use_bias:
            x = ops.add(x, ops.cast(layer.bias, x.dtype))
        return x if layer.activation is None else layer.activation(x)
