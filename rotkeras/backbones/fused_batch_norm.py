"""Batch normalisation in one kernel, for training with TensorFlow.

Keras' stock layer normalises in separate steps (mean, squared difference, multiply, add), each of
which reads and writes the whole feature map. TensorFlow has a kernel that does the same at once,
and one for its gradient.
"""

from typing import Any

import keras

from rotkeras.arguments.checked import checked

_CHANNELS_AT_ONCE = 16


@checked
def fuse_batch_norm(model: keras.Model) -> int:
    """Let the batch norm layers of a model train by TensorFlow's fused kernel, where that computes
    the same.

    As `rotkeras.backbones.weight_decay.add_l2` it changes the model in memory alone: layers stay
    stock layers, and no file carries it. Call it before `compile`. On other backends, whose
    compilers fuse by themselves, for synchronised layers and for axes other than the last of (B, H,
    W, C) nothing changes; at inference never.

    Args:
        model: a Keras model; changed in place, with the models nested in it.

    Returns:
        The number of layers that are fused.
    """
    if keras.config.backend() != "tensorflow":
        return 0
    count = 0
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            count += fuse_batch_norm(layer)
        elif type(layer) is keras.layers.BatchNormalization and _fusable(layer):
            if not isinstance(layer.call, _Fused):
                layer.call = _Fused(layer)
            count += 1
    return count


def _fusable(layer: Any) -> bool:
    if not layer.built or layer.synchronized or layer.renorm:
        return False
    return layer.input_spec.ndim == 4 and layer.axis in (-1, 3)


class _Fused:
    """The `call` of one layer."""

    def __init__(self, layer: Any) -> None:
        self.layer = layer
        self.stock = layer.call

    def __call__(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        layer = self.layer
        if not training or not layer.trainable or mask is not None:
            return self.stock(inputs, training=training, mask=mask)
        import tensorflow as tf

        channels = inputs.shape[-1]
        scale = tf.cast(layer.gamma, tf.float32) if layer.scale else tf.ones([channels])
        offset = tf.cast(layer.beta, tf.float32) if layer.center else tf.zeros([channels])
        empty = tf.constant([], tf.float32)
        x = tf.cast(inputs, tf.float32) if _slow_in_half(inputs.dtype, channels) else inputs
        outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=x,
            scale=scale,
            offset=offset,
            mean=empty,
            variance=empty,
            epsilon=layer.epsilon,
            is_training=True,
        )
        # The kernel gives the unbiased variance, for running averages as other libraries keep them;
        # Keras keeps the biased one.
        count = tf.cast(tf.size(inputs) // channels, tf.float32)
        variance = variance * ((count - 1.0) / count)
        for moving, now in ((layer.moving_mean, mean), (layer.moving_variance, variance)):
            moving.assign(moving * layer.momentum + now * (1.0 - layer.momentum))
        return tf.cast(outputs, inputs.dtype)


def _slow_in_half(dtype: Any, channels: int) -> bool:
    """Whether oneDNN has only its reference kernel for bfloat16: that of a CPU takes 16 channels at
    once.

    For 128 maps of 32 × 32 with 40 channels that one takes 15 ms in bfloat16, and 20 for the
    gradient; through float32, with both casts, it is a third (docs/guides/measure_speed.md).
    """
    import tensorflow as tf

    return (
        dtype == tf.bfloat16
        and channels % _CHANNELS_AT_ONCE != 0
        and not tf.config.list_logical_devices("GPU")
    )
