import keras
import numpy as np
import pytest
import tensorflow as tf

from rotkeras.pretext.views import quarter_turn, rotate_and_enlarge


@pytest.mark.parametrize("library", [tf, keras.ops], ids=["tf", "keras.ops"])
@pytest.mark.parametrize("turns", [-1, 0, 1, 2, 3, 4, 5])
def test_a_quarter_turn_is_numpy_rot90(random_images, library, turns):
    turned = np.asarray(quarter_turn(random_images, turns, library))
    assert turned.dtype == np.uint8
    assert np.array_equal(turned, np.rot90(random_images, turns, axes=(1, 2)))


def test_an_odd_turn_of_an_oblong_image():
    images = np.random.default_rng(0).integers(0, 256, (2, 3, 5, 3), dtype=np.uint8)
    assert np.array_equal(quarter_turn(images, 1, tf), np.rot90(images, 1, axes=(1, 2)))


def smooth(side):
    """A smooth colour image, for which bilinear sampling is nearly exact, as a function of (x, y)
    from its centre."""
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    return smooth_at(x / side, y / side), smooth_at


def smooth_at(x, y):
    return np.stack([127 + 90 * x, 127 + 90 * y, 127 + 60 * np.sin(3 * x) + 40 * y], axis=-1)


@pytest.mark.parametrize("degrees", [0, 45, 90, 135, 180, 225, 270, 315, 30])
@pytest.mark.parametrize("side", [32, 33])
def test_any_turn_against_the_rotation_formula(degrees, side):
    image, function = smooth(side)
    result = rotate_and_enlarge(tf.constant(np.rint(image).astype(np.uint8))[None], degrees)[
        0
    ].numpy()
    y, x = (np.mgrid[:side, :side] - (side - 1) / 2) / np.sqrt(2) / side
    angle = np.radians(degrees)
    # Counter-clockwise with y down: what stood at (x cos − y sin, x sin + y cos) now stands at (x,
    # y).
    expected = function(
        x * np.cos(angle) - y * np.sin(angle), x * np.sin(angle) + y * np.cos(angle)
    )
    assert np.abs(result - expected).max() < 2.0


def test_resampled_quarter_turns_are_the_exact_ones_of_the_resampled_image(random_images):
    upright = rotate_and_enlarge(tf.constant(random_images), 0).numpy().astype(int)
    for turns in (1, 2, 3):
        turned = rotate_and_enlarge(tf.constant(random_images), 90 * turns).numpy().astype(int)
        assert np.abs(turned - np.rot90(upright, turns, axes=(1, 2))).max() <= 1


def test_no_corner_is_empty():
    white = np.full((1, 32, 32, 3), 255, np.uint8)
    for degrees in range(0, 360, 45):
        assert (rotate_and_enlarge(tf.constant(white), degrees).numpy() == 255).all()
