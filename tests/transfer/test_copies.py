"""Copies of encoders: of other sizes, of other precision, sharing nothing."""

import keras
import numpy as np
import pytest
from small_transfer import drawn, strided

from rotkeras.backbones import taps
from rotkeras.errors import UserError
from rotkeras.training import devices
from rotkeras.transfer.copies import copy_at, in_float32


@pytest.fixture(scope="module")
def network():
    """With statistics and weights that differ from those of a new network."""
    made = strided(32)
    random = np.random.default_rng(0)
    made.set_weights([each + random.random(each.shape) * 0.1 for each in made.get_weights()])
    return made


def images(side):
    return np.stack([np.asarray(drawn(number)[0].resize((side, side))) for number in range(2)])


def same(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_it_shares_nothing_and_gives_the_same(network):
    before = network.get_weights()
    made = copy_at(network)
    shared = {id(each) for each in network.weights} & {id(each) for each in made.weights}
    layers = {id(each) for each in network.layers} & {id(each) for each in made.layers}
    assert not shared
    assert not layers
    x = images(32)
    np.testing.assert_array_equal(made(x), network(x))
    assert taps.names(made) == taps.names(network)
    made.set_weights([each + 1 for each in made.get_weights()])
    assert same(network.get_weights(), before)


@pytest.mark.parametrize("shape", [(64, 64, 3), (64, 96, 3)])
def test_another_size_has_the_same_weights(network, shape):
    made = copy_at(network, shape)
    assert made.input_shape == (None, *shape)
    assert taps.output(made, "stage4").shape[1:3] == (shape[0] // 32, shape[1] // 32)
    assert same(made.get_weights(), network.get_weights())
    x = np.zeros((1, *shape), np.uint8)
    x[0, :32, :32] = images(32)[0]
    first = [keras.Model(each.input, taps.output(each, "stage1")) for each in (made, network)]
    np.testing.assert_allclose(  # the first cells of the first tap do not see what was added
        first[0](x)[0, :4, :4], first[1](x[:, :32, :32])[0, :4, :4], rtol=1e-5, atol=1e-5
    )


def test_layers_of_the_copy_have_taps_that_keras_cv_finds(network):
    made = copy_at(network, (64, 64, 3))
    whole = keras.Model(made.inputs, made.get_layer("stage2").output)
    assert whole.output_shape == (None, 8, 8, 8)


def test_mixed_precision_and_back(network):
    with devices.precision("mixed_bfloat16"):
        mixed = copy_at(network)
    assert mixed.get_layer("conv1").compute_dtype == "bfloat16"
    assert mixed.get_layer("scale").compute_dtype == "float32"
    assert {each.dtype for each in mixed.weights} == {"float32"}
    assert keras.config.dtype_policy().name == "float32"
    plain = in_float32(mixed)
    assert {layer.compute_dtype for layer in plain.layers} <= {"float32", "uint8"}
    np.testing.assert_array_equal(plain(images(32)), network(images(32)))
    assert in_float32(network) is network


def test_a_dictionary_of_outputs_keeps_its_names(network):
    with devices.precision("mixed_bfloat16"):
        mixed = copy_at(network)
        outputs = {  # not in the order of the alphabet
            "scores": keras.layers.Conv2D(2, 1, name="scores", dtype="float32")(mixed.output),
            "boxes": keras.layers.Conv2D(4, 1, name="boxes", dtype="float32")(mixed.output),
        }
    two = keras.Model(mixed.input, outputs)
    plain = in_float32(two)
    assert {name: each.shape[-1] for name, each in plain.output.items()} == {
        "scores": 2,
        "boxes": 4,
    }
    found, features = plain(images(32)), np.asarray(network(images(32)))
    for name, each in found.items():
        kernel, bias = two.get_layer(name).get_weights()
        np.testing.assert_allclose(each, features @ kernel[0, 0] + bias, rtol=1e-4, atol=1e-4)


def test_what_cannot_be_copied_is_a_sentence():
    inputs = keras.Input((16, 16, 3), dtype="uint8", name="images")
    x = keras.layers.Conv2D(2, 3)(keras.layers.Rescaling(1 / 255)(inputs))
    with pytest.raises(UserError, match="tap"):
        copy_at(keras.Model(inputs, x))
    x = keras.layers.Dense(3)(keras.layers.Flatten()(x))
    ends = keras.Model(inputs, keras.layers.Identity(name="tap")(x), name="ends")
    with pytest.raises(UserError, match="'ends' cannot take images of \\(32, 32, 3\\)") as error:
        copy_at(ends, (32, 32, 3))
    assert "\n" not in str(error.value)
