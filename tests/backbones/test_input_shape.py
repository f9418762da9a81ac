import elsewhere
import keras
import numpy as np
import pytest
from small_training import three_taps

from rotkeras import UserError, taps
from rotkeras.backbones import nin, with_input_shape

IMAGES = np.random.default_rng(0).integers(0, 256, (4, 16, 16, 3), np.uint8)


def test_it_computes_what_a_network_of_that_size_with_the_same_weights_computes():
    large = nin(blocks=3, width=1 / 24, input_shape=(32, 32, 3))
    small = with_input_shape(large, (16, 16, 3))
    own = nin(blocks=3, width=1 / 24, input_shape=(16, 16, 3))
    own.set_weights(large.get_weights())
    np.testing.assert_allclose(small(IMAGES), own(IMAGES), rtol=1e-6)
    assert [id(w) for w in small.weights] == [id(w) for w in large.weights]
    assert taps.names(small) == taps.names(large) == ["conv1", "conv2", "conv3"]


def test_its_taps_are_its_own():
    large = nin(blocks=3, width=1 / 24, input_shape=(32, 32, 3))
    small = with_input_shape(large, (16, 16, 3))
    for model, side in ((large, 16), (small, 8)):
        assert taps.cut(model, "conv1", "none").output_shape == (None, side, side, 8)
        assert taps.maps(model, ["conv1"]).output["conv1"].shape[1] == side
        assert taps.extractor(model, 2048).output["conv1"].shape == (None, 8 * side * side)
        assert taps.output(model, "conv1").shape[1] == side
    for copied in (taps.copy(small), taps.untrained_copy(small)):
        assert copied.input_shape == (None, 16, 16, 3)


def test_it_is_saved_alone(tmp_path):
    small = with_input_shape(three_taps(), (24, 32, 3))
    small.save(tmp_path / "small.keras")
    loaded = keras.models.load_model(tmp_path / "small.keras", safe_mode=True)
    assert loaded.input_shape == (None, 24, 32, 3)
    images = np.zeros((1, 24, 32, 3), np.uint8)
    np.testing.assert_array_equal(loaded(images), small(images))


def test_what_cannot_be():
    inputs = keras.Input((8, 8, 3), dtype="uint8")
    x = keras.layers.Identity(name="conv1")(keras.layers.Rescaling(1.0)(inputs))
    dense = keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Flatten()(x)), name="flattened")
    with pytest.raises(UserError, match=r"'flattened' cannot take images of \(16, 16, 3\) \("):
        with_input_shape(dense, (16, 16, 3))
    several = keras.Model([inputs, keras.Input((2,))], x)
    with pytest.raises(UserError, match=r"model must have one input, got '2 inputs'"):
        with_input_shape(several, (16, 16, 3))
    with pytest.raises(UserError, match="conv9"):
        taps.output(dense, "conv9")


SCRIPT = """
from rotkeras import taps
from rotkeras.backbones import with_input_shape
rng = np.random.default_rng(0)
wholes = rng.integers(0, 256, (16, 16, 16, 3), np.uint8)
tiles = rng.integers(0, 256, (16, 8, 8, 3), np.uint8)
with scope():
    images = keras.Input((16, 16, 3), dtype="uint8")
    x = keras.layers.Conv2D(4, 3, name="conv")(keras.layers.Rescaling(1 / 255)(images))
    whole = keras.Model(images, keras.layers.Identity(name="conv1")(x))
    tile = with_input_shape(whole, (8, 8, 3))
    pooled = [keras.layers.GlobalAveragePooling2D()(taps.output(each, "conv1")) for each in (whole, tile)]
    output = keras.layers.Dense(2, name="head")(keras.ops.concatenate(pooled, axis=1))
    model = keras.Model([whole.input, tile.input], output)
    model.set_weights([rng.normal(size=w.shape) * 0.3 for w in model.get_weights()])
    model.compile(keras.optimizers.SGD(0.05), "mse", jit_compile=not on_tensorflow)
losses = model.fit([wholes, tiles], np.ones((16, 2)), batch_size=8, epochs=3, shuffle=False, verbose=0).history["loss"]
print(json.dumps([*losses, float(np.abs(whole.get_layer("conv").kernel).sum()), len(model.weights)]))
"""


@pytest.fixture(scope="module")
def on_one_device():
    return elsewhere.run(SCRIPT, "tensorflow", "one")


@pytest.mark.long
def test_both_sizes_train_in_one_model_on_one_device_and_two_replicas(on_one_device):
    assert on_one_device[-1] == 4  # one kernel and one bias of the convolution and of the head
    assert on_one_device[2] < on_one_device[0]
    np.testing.assert_allclose(elsewhere.run(SCRIPT, "tensorflow", "two"), on_one_device, rtol=1e-5)


def test_jax_trains_as_tensorflow(on_one_device):
    pytest.importorskip("jax")
    np.testing.assert_allclose(elsewhere.run(SCRIPT, "jax", "one"), on_one_device, rtol=1e-5)
