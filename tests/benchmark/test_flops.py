import math

import keras
import numpy as np
import pytest

from rotkeras.backbones import nin
from rotkeras.benchmark import count_flops
from rotkeras.pretext import InStep, Rotation

# The convolutions of a NIN with four blocks at 32 × 32: side of the output, side of the kernel,
# channels in and out.
CONVOLUTIONS = [
    (32, 5, 3, 192), (32, 1, 192, 160), (32, 1, 160, 96),
    (16, 5, 96, 192), (16, 1, 192, 192), (16, 1, 192, 192),
    *[(8, 3, 192, 192), (8, 1, 192, 192), (8, 1, 192, 192)] * 2,
]  # fmt: skip


@pytest.fixture(scope="module")
def published():
    return Rotation().build_model(nin(blocks=4))


def test_the_nin_by_hand(published):
    each = [
        2 * side**2 * kernel**2 * inputs * outputs for side, kernel, inputs, outputs in CONVOLUTIONS
    ] + [2 * 192 * 4]
    work = count_flops(published)
    assert work.forward == sum(each) == 501_351_936
    assert work.training == 3 * sum(each) - each[0] == 1_474_564_608  # an image needs no gradient
    assert (
        work.parameters
        == sum(k * k * i * o + 2 * o for _, k, i, o in CONVOLUTIONS) + 193 * 4
        == 1_411_140
    )
    assert work.not_counted == ()


def test_the_forward_pass_as_tensorflow_counts_it(published):
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    function = tf.function(lambda x: published(x, training=False)).get_concrete_function(
        tf.TensorSpec((1, 32, 32, 3), tf.uint8)
    )
    graph = convert_variables_to_constants_v2(function).graph
    options = tf.compat.v1.profiler.ProfileOptionBuilder(
        tf.compat.v1.profiler.ProfileOptionBuilder.float_operation()
    )
    options = (
        options.with_empty_output()
        .with_accounted_types(["Conv2D", "MatMul"])
        .order_by("float_ops")
        .build()
    )
    counted = tf.compat.v1.profiler.profile(
        graph, options=options | {"account_displayed_op_only": True}
    )
    assert count_flops(published).forward == counted.total_float_ops


def test_groups_strides_padding_depth_and_places():
    layers = keras.layers
    inputs = keras.Input((9, 9, 4))
    x = layers.Conv2D(8, 3, strides=2, padding="valid", groups=2, name="grouped")(
        inputs
    )  # 4 × 4 × 8
    x = layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2)(x)  # 4 × 4 × 16
    x = layers.Dense(5)(x)  # at each of 16 places
    x = layers.Conv2DTranspose(2, 2)(x)
    work = count_flops(keras.Model(inputs, x))
    grouped, depthwise, dense = 2 * 16 * 9 * 2 * 8, 2 * 16 * 9 * 8 * 2, 2 * 16 * 16 * 5
    assert work.forward == grouped + depthwise + dense
    assert work.training == 2 * grouped + 3 * (depthwise + dense)
    assert work.not_counted == ("Conv2DTranspose",)
    assert work.parameters == sum(
        math.prod(np.shape(weight)) for weight in keras.Model(inputs, x).get_weights()
    )


def test_views_made_on_the_device_change_nothing():
    def backbone():
        return nin(blocks=3, width=1 / 24, input_shape=(16, 16, 3))

    task = InStep(Rotation())
    flat = count_flops(Rotation().build_model(backbone()))
    whole = task.build_model(backbone())
    assert count_flops(task.network(whole)) == flat == count_flops(whole)
