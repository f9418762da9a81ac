import re

import keras
import numpy as np
import pytest
from elsewhere import run
from small_training import LEAN

from rotkeras import recipe, taps
from rotkeras.backbones import keras_applications, quantization_aware, round_to_int8
from rotkeras.export.tflite import to_tflite
from rotkeras.pretext import Rotation
from rotkeras.training import build, notes

pytestmark = pytest.mark.long

RANDOM = np.random.default_rng(0)


def test_kernels_are_rounded_channel_by_channel_as_numpy_does():
    kernel = RANDOM.normal(0, 1, (3, 3, 32, 5)).astype(np.float32) * [1, 0.1, 10, 1e-3, 0]
    kernel = kernel.astype(np.float32)
    scale = np.abs(kernel).max(axis=(0, 1, 2)) / 127
    expected = np.rint(kernel / np.maximum(scale, 1e-12)) * scale
    found = quantization_aware.rounded_kernel(kernel, (0, 1, 2))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-9)
    assert len(np.unique(np.asarray(found)[..., 0])) > 100


def test_activations_are_rounded_to_256_steps_with_an_exact_zero():
    x = RANDOM.uniform(-1, 3, (4, 6, 6, 2)).astype(np.float32)
    x[0, 0, 0] = 0
    found = np.asarray(quantization_aware.rounded_activation(x))
    scale = (x.max() - x.min()) / 255
    assert len(np.unique(found)) <= 256
    assert np.abs(found - x).max() <= scale * 0.51
    assert (found[0, 0, 0] == 0).all()
    positive = np.abs(x) + 1  # zero is in the range even where no number is that small
    assert np.asarray(quantization_aware.rounded_activation(positive)).min() > 0
    whole = np.arange(256, dtype=np.float32)  # pixels go through as they are
    np.testing.assert_array_equal(quantization_aware.rounded_activation(whole), whole)
    np.testing.assert_array_equal(quantization_aware.rounded_activation(np.zeros(4)), np.zeros(4))


def small():
    """Convolutions of all kinds, with hard-swish and squeeze-and-excite."""
    keras.utils.set_random_seed(0)
    backbone = keras_applications(
        "MobileNetV3Small",
        arguments={"alpha": 0.35},
        batch_norm_momentum=0.5,
        input_shape=(32, 32, 3),
    )
    return Rotation().build_model(backbone)


def test_training_sees_what_an_int8_file_computes_and_inference_does_not():
    images = RANDOM.integers(0, 256, (16, 32, 32, 3), np.uint8)
    model = small()
    before = model(images, training=False)
    count = round_to_int8(model)
    kinds = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D, keras.layers.Dense)
    assert count == sum(type(each) in kinds for each in model.layers) > 30
    assert round_to_int8(model) == count  # a second time changes nothing
    np.testing.assert_array_equal(model(images, training=False), before)
    largest = float(np.abs(before).max())
    np.testing.assert_allclose(model.predict(images, verbose=0), before, atol=1e-3 * largest)
    stock = small()
    exact = np.asarray(stock(images, training=True))
    rounded = np.asarray(model(images, training=True))
    assert 0 < np.abs(rounded - exact).max() < 0.5 * np.abs(exact).max()


def rounded(x):
    """Activations by NumPy: 256 steps over the range, zero among them."""
    least, greatest = min(x.min(), 0.0), max(x.max(), 0.0)
    scale = (greatest - least) / 255
    zero = np.rint(least / scale)
    return np.clip(np.rint(x / scale), zero, zero + 255) * scale


def by_channel(kernel, axes):
    scale = np.abs(kernel).max(axis=axes, keepdims=True) / 127
    return np.rint(kernel / scale) * scale


@pytest.mark.parametrize(
    ("layer", "axes"),
    [
        (keras.layers.Conv2D(4, 2, strides=2, activation="relu"), (0, 1, 2)),
        (keras.layers.DepthwiseConv2D(2, strides=2), (0, 1)),
        (keras.layers.Dense(4, activation="relu"), (0,)),
    ],
    ids=["Conv2D", "DepthwiseConv2D", "Dense"],
)
def test_a_layer_computes_with_rounded_numbers_as_numpy_does(layer, axes):
    model = keras.Sequential([keras.Input((6, 6, 3)), layer])
    kernel = RANDOM.normal(0, 1, layer.kernel.shape).astype(np.float32)
    kernel.reshape(-1, layer.bias.shape[0])[:, 1] *= 0.01  # another scale for another channel
    bias = RANDOM.normal(0, 0.2, layer.bias.shape).astype(np.float32)
    layer.set_weights([kernel, bias])
    round_to_int8(model)
    x = RANDOM.normal(1, 2, (5, 6, 6, 3)).astype(np.float32)
    given, weights = rounded(x), by_channel(kernel, axes)
    windows = given.reshape(5, 3, 2, 3, 2, 3).transpose(0, 1, 3, 2, 4, 5)
    expected = {
        (0, 1, 2): lambda: np.maximum(np.einsum("bijhwc,hwcd->bijd", windows, weights) + bias, 0),
        (0, 1): lambda: np.einsum("bijhwc,hwc->bijc", windows, weights[..., 0]) + bias,
        (0,): lambda: np.maximum(given @ weights + bias, 0),
    }[axes]()
    found = np.asarray(model(x, training=True))
    step = (expected.max() - min(expected.min(), 0)) / 255
    np.testing.assert_allclose(found, rounded(expected), atol=1.01 * step)
    assert np.abs(found - expected).mean() < 0.5 * step  # and it is no more than rounded
    assert len(np.unique(found)) <= 256


def test_zero_is_exact_where_no_number_is_that_small():
    found = np.asarray(quantization_aware.rounded_activation(np.array([1.0, 1.4, 510.0])))
    np.testing.assert_allclose(found, [2 * 0.5, 2 * 0.5, 510.0], atol=1.01)
    np.testing.assert_allclose(found, np.rint(np.array([1.0, 1.4, 510.0]) / 2) * 2)


def test_gradients_pass_the_rounding():
    layer = keras.layers.Dense(3, activation="relu")
    model = keras.Sequential([keras.Input((4,)), layer])
    assert round_to_int8(model) == 1
    model.compile("sgd", "mse")
    x = RANDOM.normal(0, 1, (8, 4)).astype(np.float32)
    kernel = layer.kernel.numpy()
    model.fit(x, np.ones((8, 3), np.float32), epochs=1, verbose=0)
    assert np.abs(layer.kernel.numpy() - kernel).max() > 1e-4
    y = model.predict(x, verbose=0)
    np.testing.assert_allclose(
        y, np.maximum(x @ layer.kernel.numpy() + layer.bias.numpy(), 0), atol=1e-5
    )


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_a_recipe_trains_so_and_its_files_are_stock(precision, tmp_path):
    made = recipe.validate(
        {
            **LEAN,
            "backbone": {
                "name": "keras_applications",
                "model": "MobileNetV3Small",
                "arguments": {"alpha": 0.35},
                "activation": "relu6",
            },
            "data": {**LEAN["data"], "image_size": 32, "train_images": 64},
            "train": {**LEAN["train"], "quantization_aware": True, "precision": precision},
        },
        "test",
    )
    source = build.load_source(made)
    task, model = build.build(made, source, (32, 32, 3))
    (line,) = notes.rounding_notes(made, model)
    assert re.fullmatch(r"rounded to int8: \d\d layers", line)
    assert any(isinstance(each.call, quantization_aware._Rounded) for each in model.layers)
    batches = build.build_pipeline(made, source, task, [])
    history = model.fit(batches.dataset, steps_per_epoch=2, epochs=1, shuffle=False, verbose=0)
    assert np.isfinite(history.history["loss"]).all()
    network = task.network(model)
    network.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")  # in safe mode
    images = source.train.take(slice(0, 4))
    np.testing.assert_allclose(loaded(images), network(images), atol=1e-2)
    activations = {
        getattr(getattr(each, "activation", None), "__name__", "") for each in loaded.layers
    }
    assert "hard_silu" not in activations
    assert "relu6" in activations
    file = to_tflite(
        taps.cut(network, "stage3"), tmp_path / "a.tflite", "int8", calibration=images.repeat(25, 0)
    )
    assert file.stat().st_size > 1000


SCRIPT = """
from rotkeras.backbones import round_to_int8
keras.utils.set_random_seed(0)
with scope():
    model = keras.Sequential([
        keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3), keras.layers.Flatten(),
        keras.layers.Dense(2),
    ])
    assert round_to_int8(model) == 2
    model.compile(keras.optimizers.SGD(0.01), "mse")
x = np.random.default_rng(0).normal(0, 1, (16, 8, 8, 3)).astype("float32")
history = model.fit(x, x[:, 0, 0, :2], batch_size=16, epochs=5, shuffle=False, verbose=0)
print(json.dumps(history.history["loss"]))
"""


@pytest.mark.parametrize(("backend", "devices"), [("jax", "one"), ("tensorflow", "two")])
def test_it_trains_on_jax_and_on_two_replicas(backend, devices):
    losses = run(SCRIPT, backend, devices)
    assert losses[-1] < 0.9 * losses[0]
