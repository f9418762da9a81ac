import keras
import numpy as np
import pytest

from rotkeras.backbones import fuse_batch_norm, nin


def trained(network, fused, steps=4):
    """A copy of a network after some steps on noise: its losses and weights."""
    keras.utils.set_random_seed(0)
    images = np.random.default_rng(0).integers(0, 256, (steps * 8, 16, 16, 3), dtype=np.uint8)
    model = keras.models.clone_model(network)
    model.set_weights(network.get_weights())
    pooled = keras.layers.GlobalAveragePooling2D()(model.output)
    model = keras.Model(model.input, keras.layers.Dense(4, dtype="float32")(pooled))
    if fused:
        assert fuse_batch_norm(model) == 9
    model.compile(
        keras.optimizers.SGD(0.02),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=False,
    )
    losses = [
        model.train_on_batch(images[i : i + 8], np.arange(8) % 4) for i in range(0, len(images), 8)
    ]
    return np.array(losses, np.float64), model


@pytest.fixture(scope="module")
def network():
    # Weights of their own: those of the global seed depend on the tests before, and one draw in
    # many has a ReLU so near zero that rounding switches it.
    keras.utils.set_random_seed(0)
    return nin(blocks=3, width=1 / 12, input_shape=(16, 16, 3))


def test_steps_are_those_of_the_stock_layer(network):
    """Losses, weights, and the running averages, whose variance the kernel gives with another
    divisor."""
    losses, stock = trained(network, fused=False)
    fused_losses, fused = trained(network, fused=True)
    np.testing.assert_allclose(fused_losses, losses, rtol=2e-5)
    for one, other in zip(stock.variables, fused.variables, strict=True):
        np.testing.assert_allclose(other, one, rtol=2e-3, atol=2e-5, err_msg=one.path)


def test_running_averages_by_hand():
    layer = keras.layers.BatchNormalization(momentum=0.75)
    inputs = keras.Input((2, 2, 1))
    model = keras.Model(inputs, layer(inputs))
    assert fuse_batch_norm(model) == 1
    model(np.array([0.0, 2.0, 4.0, 6.0], np.float32).reshape(1, 2, 2, 1), training=True)
    assert float(layer.moving_mean.numpy()[0]) == pytest.approx(0.25 * 3.0)
    assert float(layer.moving_variance.numpy()[0]) == pytest.approx(
        0.75 * 1.0 + 0.25 * 5.0
    )  # 5, not 20/3


@pytest.mark.parametrize("options", [{}, {"center": False, "scale": False}])
@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize(
    "channels", [8, 16]
)  # of 16-bit numbers kernels take 16 channels at once; others go through float32
def test_outputs_and_gradients_are_those_of_the_stock_layer(options, policy, channels):
    import tensorflow as tf

    inputs = keras.Input((5, 5, channels))
    layer = keras.layers.BatchNormalization(dtype=policy, **options)
    model = keras.Model(inputs, layer(inputs))
    random = np.random.default_rng(0)
    x, weight = (
        tf.constant(random.normal(3, 2, (6, 5, 5, channels)), tf.float32) for _ in range(2)
    )

    def run():
        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs = model(x, training=True)
            loss = tf.reduce_mean(weight * tf.cast(outputs, tf.float32) ** 2)
        return outputs, tape.gradient(loss, x)

    stock, stock_gradient = run()
    fuse_batch_norm(model)
    fused, gradient = run()
    assert fused.dtype == stock.dtype
    half = policy == "mixed_bfloat16"
    np.testing.assert_allclose(
        tf.cast(fused, "float32"), tf.cast(stock, "float32"), atol=0.02 if half else 1e-5
    )
    scale = np.abs(stock_gradient).max()
    np.testing.assert_allclose(
        gradient / scale, stock_gradient / scale, atol=0.02 if half else 1e-5
    )


@pytest.mark.parametrize(("channels", "dtype"), [(8, "float32"), (16, "bfloat16"), (40, "float32")])
def test_bfloat16_goes_through_float32_where_its_kernel_would_be_the_reference(channels, dtype):
    import tensorflow as tf

    inputs = keras.Input((4, 4, channels))
    model = keras.Model(inputs, keras.layers.BatchNormalization(dtype="mixed_bfloat16")(inputs))
    fuse_batch_norm(model)
    step = tf.function(lambda x: model(x, training=True)).get_concrete_function(
        tf.TensorSpec((2, 4, 4, channels))
    )
    (kernel,) = [
        operation
        for operation in step.graph.get_operations()
        if operation.type == "FusedBatchNormV3"
    ]
    assert kernel.get_attr("T") == getattr(tf, dtype)
    assert step.outputs[0].dtype == tf.bfloat16


def test_inference_and_frozen_layers_use_the_running_averages(network):
    images = np.random.default_rng(0).integers(0, 256, (4, 16, 16, 3), dtype=np.uint8)
    model = keras.models.clone_model(network)
    expected = model(images, training=False)
    fuse_batch_norm(model)
    np.testing.assert_array_equal(model(images, training=False), expected)
    model.trainable = False
    before = model.get_weights()
    np.testing.assert_array_equal(model(images, training=True), expected)
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_only_what_computes_the_same_is_fused():
    inputs = keras.Input((4, 4, 4))
    others = [
        keras.layers.BatchNormalization(axis=1),
        keras.layers.BatchNormalization(synchronized=True),
        keras.layers.BatchNormalization(renorm=True),
        keras.layers.LayerNormalization(),
    ]
    x = inputs
    for layer in others:
        x = layer(x)
    x = keras.layers.BatchNormalization()(keras.layers.Flatten()(x))
    assert fuse_batch_norm(keras.Model(inputs, x)) == 0


def test_files_hold_the_stock_layer(network, tmp_path):
    model = keras.models.clone_model(network)
    assert fuse_batch_norm(model) == fuse_batch_norm(model) == 9
    model.save(tmp_path / "fused.keras")
    again = keras.models.load_model(tmp_path / "fused.keras")
    kinds = {type(layer) for layer in again.layers}
    assert keras.layers.BatchNormalization in kinds
    assert all(type(layer).__module__.startswith("keras.") for layer in again.layers)
    assert fuse_batch_norm(again) == 9
    assert fuse_batch_norm(keras.models.clone_model(model)) == 9  # a copy begins with stock layers


def test_nested_models_are_fused_too(network):
    inputs = keras.Input((16, 16, 3), dtype="uint8")
    assert fuse_batch_norm(keras.Model(inputs, keras.models.clone_model(network)(inputs))) == 9
