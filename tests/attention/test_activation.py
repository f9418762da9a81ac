import keras
import numpy as np
import pytest

from rotkeras.attention import activation, activation_maps
from rotkeras.errors import UserError

# Two channels: red − green, and three times blue.
KERNELS = [[[[1, 0], [-1, 0], [0, 3]]]]


def test_the_map_is_the_sum_of_powers_over_channels(network_by_hand, random_images):
    images = random_images[:3, :4, :4]
    model = network_by_hand(4, KERNELS)
    red, green, blue = (images[..., channel].astype(np.float64) for channel in range(3))
    for power in (1, 2, 4):
        expected = np.abs(red - green) ** power + (3 * blue) ** power
        found = activation_maps(model, images, powers=power)["conv1"]
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_published_powers_by_the_place_of_the_tap_in_the_model(rotation_model, photographs):
    published = activation_maps(rotation_model, photographs)
    assert list(published) == ["conv1", "conv2", "conv3"]
    for tap, power in zip(published, (1, 2, 4), strict=True):
        alone = activation_maps(
            rotation_model, photographs, [tap]
        )  # its power does not depend on what else is asked for
        said = activation_maps(rotation_model, photographs, [tap], {tap: power})
        np.testing.assert_array_equal(alone[tap], published[tap])
        np.testing.assert_array_equal(said[tap], published[tap])
    in_order = activation_maps(rotation_model, photographs, ["conv3", "conv1"], (4, 1))
    np.testing.assert_array_equal(in_order["conv3"], published["conv3"])


def test_a_fourth_tap_goes_on_with_the_last_published_power():
    from rotkeras.attention.activation import resolve_powers

    there = ["conv1", "conv2", "conv3", "conv4", "conv5"]
    assert resolve_powers(there, there, None) == {
        "conv1": 1,
        "conv2": 2,
        "conv3": 4,
        "conv4": 4,
        "conv5": 4,
    }


def test_more_images_than_one_pass_holds(network_by_hand):
    images = np.random.default_rng(0).integers(0, 256, (67, 4, 4, 3), dtype=np.uint8)
    model = network_by_hand(4, KERNELS)
    assert activation.images_per_pass(model) == 64
    assert (
        activation.images_per_pass(network_by_hand(2048, np.zeros((1, 1, 3, 8)))) == 2
    )  # 128 MiB for each image
    found = activation_maps(model, images)["conv1"]
    assert len(found) == 67
    np.testing.assert_allclose(
        found[-1], activation_maps(model, images[-1:])["conv1"][0], rtol=1e-6
    )


def test_mixed_precision_gives_float32(photographs):
    from rotkeras.backbones import nin

    keras.utils.set_random_seed(0)
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = nin(blocks=3, width=1 / 24, input_shape=(16, 16, 3))
    finally:
        keras.config.set_dtype_policy("float32")
    assert {each.dtype for each in activation_maps(model, photographs).values()} == {
        np.dtype(np.float32)
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"taps": ["conv9"]}, "must be one of 'conv1', 'conv2', 'conv3', got 'conv9'"),
        (
            {"powers": (1, 2)},
            r"powers must have 3 values, one for each of conv1, conv2, conv3, got 2\.",
        ),
        (
            {"powers": {"conv1": 1}},
            r"powers must have one value for each of conv1, conv2, conv3, got none for conv2, conv3\.",
        ),
        ({"powers": 0}, "powers must be greater than 0 and at most 16, got 0 for conv1;"),
    ],
)
def test_what_does_not_fit_is_said(rotation_model, photographs, arguments, message):
    with pytest.raises(UserError, match=message):
        activation_maps(rotation_model, photographs, **arguments)


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((2, 16, 16, 3), np.float32),
        np.zeros((2, 8, 16, 3), np.uint8),
        np.zeros((16, 16, 3), np.uint8),
        np.zeros((0, 16, 16, 3), np.uint8),
    ],
)
def test_images_of_another_kind(rotation_model, images):
    words = (
        r"images must (be uint8 \(N, 16, 16, 3\) with N at least 1, got|be a uint8|have the axes)"
    )
    with pytest.raises(UserError, match=words):
        activation_maps(rotation_model, images)


def test_a_tap_of_vectors_has_no_places(photographs):
    inputs = keras.Input((16, 16, 3), dtype="uint8")
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1.0)(inputs))
    model = keras.Model(inputs, keras.layers.Identity(name="pooled")(x))
    with pytest.raises(
        UserError, match=r"The tap 'pooled' must be a feature map \(B, h, w, C\), got \(None, 3\);"
    ):
        activation_maps(model, photographs)


def test_models_that_cannot_be_looked_into_are_refused(small_backbone, photographs):
    class Own(keras.Model):
        def call(self, x):
            return small_backbone(x)

    vectors = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(2), keras.layers.Identity(name="tap")]
    )
    for model, message in (
        (Own(), r"The model 'own' must be a functional model; build it from keras\.Input\."),
        (keras.Sequential([small_backbone]), None),
        (vectors, r"The model 'sequential' must have one input of images \(B, H, W, 3\)\."),
    ):
        if message is None:
            model.build((None, 16, 16, 3))
            assert list(activation_maps(model, photographs)) == ["conv1", "conv2", "conv3"]
            continue
        with pytest.raises(UserError, match=message):
            activation_maps(model, photographs)


def test_layers_in_front_of_a_nested_network_are_not_passed_over(small_backbone, photographs):
    inputs = keras.Input((16, 16, 3), dtype="uint8")
    model = keras.Model(
        inputs, small_backbone(keras.layers.Rescaling(0.5, name="half", dtype="uint8")(inputs))
    )
    with pytest.raises(
        UserError, match=r"must be flat, but half comes before the network inside it\."
    ):
        activation_maps(model, photographs)
