import keras
import numpy as np
import pytest

from rotkeras.attention import maximise
from rotkeras.errors import UserError


@pytest.fixture
def red_or_green():
    """Class 0 is more red than green, class 1 the opposite; the tap's channels are red and
    green."""
    inputs = keras.Input((8, 8, 3), dtype="uint8")
    convolution, dense = (
        keras.layers.Conv2D(2, 1, use_bias=False),
        keras.layers.Dense(2, use_bias=False),
    )
    x = keras.layers.Identity(name="conv1")(convolution(keras.layers.Rescaling(1.0)(inputs)))
    model = keras.Model(inputs, dense(keras.layers.GlobalAveragePooling2D()(x)))
    convolution.set_weights([np.eye(3, 2, dtype=np.float32)[None, None]])
    dense.set_weights([np.array([[1.0, -1.0], [-1.0, 1.0]], np.float32)])
    return model


def test_the_image_is_what_the_answer_responds_to(red_or_green):
    images = maximise(red_or_green, [1, 0], steps=40)
    assert images.shape == (2, 8, 8, 3)
    assert images.dtype == np.uint8
    red, green = images[..., 0].mean((1, 2)), images[..., 1].mean((1, 2))
    assert green[0] - red[0] > 150
    assert red[1] - green[1] > 150


def test_channels_of_a_tap_and_the_seed(red_or_green):
    first, again, other = (
        maximise(red_or_green, [0], "conv1", steps=40, seed=seed) for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    assert first[0, ..., 0].mean() > 230
    assert abs(first[0, ..., 1].mean() - 127.5) < 20  # the channel does not see green


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"units": [2]}, r"units must be classes from 0 to 1, got 2\."),
        ({"units": []}, r"units must not be empty, got \[\]"),
        ({"units": [5], "tap": "conv1"}, r"units must be channels of conv1 from 0 to 1, got 5\."),
        ({"units": [0], "tap": "conv3"}, "tap must be one of .*, got 'conv3'"),
    ],
)
def test_units_that_are_not_there(red_or_green, arguments, message):
    with pytest.raises(UserError, match=message):
        maximise(red_or_green, **arguments)
