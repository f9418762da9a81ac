import numpy as np
import pytest
from small_training import three_taps

from rotkeras.errors import UserError
from rotkeras.export import parts_of
from rotkeras.export.parts import as_parts, of_float_pixels
from rotkeras.pretext import Rotation


@pytest.fixture(scope="module")
def classifier():
    import keras

    keras.utils.set_random_seed(0)
    return Rotation().build_model(three_taps())


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(1).integers(0, 256, (5, 16, 16, 3), dtype=np.uint8)


def maps(network, tap, images):
    import keras

    return np.asarray(keras.Model(network.input, network.get_layer(tap).output)(images))


def test_the_encoder_is_the_mean_over_the_map_of_its_tap(classifier, images):
    parts = parts_of(classifier, "conv1")
    np.testing.assert_allclose(
        parts.embed(images), maps(classifier, "conv1", images).mean(axis=(1, 2)), atol=1e-6
    )
    assert (parts.dimensions, parts.input_size, parts.trained_size) == (4, 16, 16)


def test_pooling_and_length_are_part_of_it(classifier, images):
    parts = parts_of(classifier, "conv2", pooling="max", l2_normalization=True)
    largest = maps(classifier, "conv2", images).max(axis=(1, 2))
    np.testing.assert_allclose(
        parts.embed(images), largest / np.linalg.norm(largest, axis=1, keepdims=True), atol=1e-5
    )


def test_all_taps_and_the_probabilities_come_along(classifier, images):
    parts = parts_of(classifier)
    assert parts.tap == "conv2"
    found = parts.taps(images)
    assert sorted(found) == ["conv1", "conv2", "conv3"]
    for tap, values in found.items():
        np.testing.assert_allclose(values, maps(classifier, tap, images), atol=1e-6)
    logits = np.asarray(classifier(images))
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(parts.prediction.model(images), expected, atol=1e-6)


def test_a_backbone_has_no_rotation_head():
    assert parts_of(three_taps()).prediction is None


def test_resizing_inside_takes_the_mean_of_blocks(classifier, images):
    # Every pixel twice in both directions: the mean of 2×2 blocks is the image itself, whatever
    # else a resize might do.
    large = images.repeat(2, axis=1).repeat(2, axis=2)
    parts = parts_of(classifier, "conv2", input_size=32, resize=True)
    np.testing.assert_allclose(
        parts.embed(large), parts_of(classifier, "conv2").embed(images), atol=1e-5
    )
    # Blocks of different pixels: the mean, in floats, is what the network must see.
    noise = np.random.default_rng(0).integers(0, 256, (2, 48, 48, 3), dtype=np.uint8)
    means = noise.reshape(2, 16, 3, 16, 3, 3).mean(axis=(2, 4))
    seen = of_float_pixels(parts_of(classifier, "conv2").embed)(means.astype(np.float32))
    np.testing.assert_allclose(
        parts_of(classifier, "conv2", input_size=48, resize=True).embed(noise), seen, atol=1e-4
    )


@pytest.mark.parametrize("size", [12, 20, 40])
def test_any_size_can_be_resized_inside_and_turns_along(classifier, size):
    parts = parts_of(classifier, "conv2", input_size=size, resize=True)
    flat = np.full((1, size, size, 3), 90, np.uint8)
    same = np.full((1, 16, 16, 3), 90, np.uint8)
    np.testing.assert_allclose(
        parts.embed(flat), parts_of(classifier, "conv2").embed(same), atol=1e-5
    )
    assert parts.prediction.model(flat).shape == (1, 4)


def test_a_convolutional_network_can_see_another_size(classifier):
    parts = parts_of(classifier, "conv1", input_size=24)
    assert parts.taps.output["conv1"].shape == (None, 12, 12, 4)
    noise = np.random.default_rng(0).integers(0, 256, (1, 24, 24, 3), dtype=np.uint8)
    inner = maps(classifier, "conv1", noise[:, :16, :16])
    # Away from the borders a convolution sees the same pixels whatever the size of the image.
    np.testing.assert_allclose(
        parts.taps(noise)["conv1"][:, 1:7, 1:7], inner[:, 1:7, 1:7], atol=1e-6
    )


def test_a_network_bound_to_its_size_says_so():
    import keras

    inputs = keras.Input((16, 16, 3), dtype="uint8")
    x = keras.layers.Identity(name="tap")(
        keras.layers.Conv2D(2, 3)(keras.layers.Rescaling(1 / 255)(inputs))
    )
    bound = keras.Model(inputs, keras.layers.Dense(3)(keras.layers.Flatten()(x)))
    with pytest.raises(
        UserError, match=r"The network cannot take images of 24×24 \(.*\); it was trained on 16×16"
    ):
        parts_of(bound, input_size=24)
    assert parts_of(bound, input_size=24, resize=True).embed.output.shape == (None, 2)


def test_what_does_not_fit_is_told(classifier):
    import keras

    with pytest.raises(UserError, match="must be one of 'conv1', 'conv2', 'conv3', got 'conv9'"):
        parts_of(classifier, "conv9")
    with pytest.raises(UserError, match="input_size must be at least 8, got 4"):
        parts_of(classifier, input_size=4)
    inputs = keras.Input((None, 12, 3), dtype="uint8")
    open_ended = keras.Model(
        inputs, keras.layers.Identity(name="tap")(keras.layers.Rescaling(1.0)(inputs))
    )
    with pytest.raises(
        UserError,
        match=r"must have one input of images, uint8 \(B, H, W, 3\), got uint8 \(None, None, 12, 3\);",
    ):
        parts_of(open_ended)


def test_an_encoder_of_images_that_are_not_square():
    """Against Keras at its own size, and by hand at twice that, which blocks of 2×2 bring back."""
    import keras

    inputs = keras.Input((16, 12, 3), dtype="uint8")
    x = keras.layers.Conv2D(4, 3)(keras.layers.Rescaling(1 / 255)(inputs))
    wide = keras.Model(inputs, keras.layers.Identity(name="tap")(x))
    parts = parts_of(wide, "tap")
    assert (parts.input_size, parts.trained_size) == ((16, 12), (16, 12))
    random = np.random.default_rng(0)
    small = random.integers(0, 256, (2, 16, 12, 3), np.uint8)
    expected = np.asarray(wide(small)).mean(axis=(1, 2))
    np.testing.assert_allclose(parts.embed(small), expected, atol=1e-5)
    larger = parts_of(wide, "tap", input_size=(32, 24), resize=True)
    double = small.repeat(2, axis=1).repeat(2, axis=2)
    np.testing.assert_allclose(larger.embed(double), expected, atol=1e-5)


def test_float_pixels_give_the_same(classifier, images):
    parts = parts_of(classifier, "conv3", input_size=20, resize=True)
    noise = np.random.default_rng(0).integers(0, 256, (2, 20, 20, 3), dtype=np.uint8)
    np.testing.assert_allclose(
        of_float_pixels(parts.embed)(noise.astype(np.float32)), parts.embed(noise), atol=1e-5
    )


def test_an_encoder_of_ones_own_is_taken_as_it_is(classifier, images):
    from rotkeras.backbones import taps

    encoder = taps.cut(classifier, "conv2")
    parts = as_parts(encoder)
    assert parts.embed is encoder
    assert (parts.tap, parts.prediction) == ("conv2", None)
    assert sorted(parts.taps(images)) == ["conv1", "conv2"]
    assert as_parts(parts) is parts
    assert as_parts(classifier).prediction is not None
