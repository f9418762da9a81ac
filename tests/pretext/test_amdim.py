"""What is AMDIM's own: its taps, its grid, and the places that are drawn."""

import keras
import numpy as np
import pytest
from small_training import three_taps

from rotkeras import UserError
from rotkeras.data.keyed import Key
from rotkeras.pretext import AMDIM
from rotkeras.pretext.losses import local_global

KEY = Key(np.int64(3), np.int64(1), np.arange(6, dtype=np.int64), np.arange(6))
SMALL = {"hidden_units": 8, "projection_units": 4}


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (6, 16, 16, 3), np.uint8)


def maps(*sides):
    """A backbone with a tap of each side."""
    inputs = keras.Input((max(sides) * 2,) * 2 + (3,), dtype="uint8")
    x = keras.layers.Rescaling(1 / 255)(inputs)
    for number, side in enumerate(sides, 1):
        x = keras.layers.Conv2D(4, x.shape[1] // side, strides=x.shape[1] // side)(x)
        x = keras.layers.Identity(name=f"tap{number}")(x)
    return keras.Model(inputs, x)


@pytest.mark.parametrize(
    ("sides", "settings", "shape"),
    [
        ((8, 4, 2), {}, (2, 5, 4)),  # the last two, averaged to 2 × 2
        ((8, 4, 1), {}, (2, 17, 4)),  # a map of one place is none
        ((4, 1), {}, (1, 17, 4)),
        ((16, 8), {}, (2, 50, 4)),  # at most 7 × 7
        ((8, 4, 2), {"local_taps": ["tap1"]}, (1, 50, 4)),
        ((8, 4, 2), {"local_taps": ["tap1", "tap2", "tap3"]}, (3, 5, 4)),
    ],
)
def test_which_places_are_compared(sides, settings, shape):
    model = AMDIM(**SMALL, **settings).build_model(maps(*sides))
    assert model.output_shape == (None, *shape)


def test_each_group_is_the_whole_view_and_the_places_of_a_tap(images):
    task = AMDIM(**SMALL)
    model = task.build_model(three_taps())
    x, _ = task.views(images, KEY)
    found = np.asarray(model(x))
    whole = np.asarray(task.embedder(model)(x))
    np.testing.assert_allclose(found[:, 0, 0], whole, atol=1e-6)
    np.testing.assert_allclose(found[:, 1, 0], whole, atol=1e-6)
    last = keras.Model(model.input, model.get_layer("local2").output)(x)
    np.testing.assert_allclose(found[:, 1, 1:], np.reshape(last, (12, 4, 4)), atol=1e-6)


def test_places_are_drawn_for_each_view_and_reach_the_loss(images):
    task = AMDIM(**SMALL, clip=5.0, regularisation=0.1)
    x, y = task.views(images, KEY)
    assert y.shape == (12,)
    assert len(np.unique(y)) > 8
    assert (y >= 0).all()
    assert (y < 2**16).all()
    np.testing.assert_array_equal(task.labels(task.draw(KEY)).reshape(-1), y)
    predicted = np.asarray(task.build_model(three_taps())(x))
    expected = local_global(predicted, y * 4 // 2**16, 5.0, 0.1)
    assert float(task.loss()(y, predicted)) == pytest.approx(float(np.mean(expected)), rel=1e-5)
    assert task.chance(64) == 1 / 64


def test_taps_that_are_not_there_and_networks_without_a_map():
    with pytest.raises(
        UserError, match="local_taps.1 must be one of 'conv1', 'conv2', 'conv3', got 'conv9'"
    ):
        AMDIM(**SMALL, local_taps=["conv1", "conv9"]).build_model(three_taps())
    with pytest.raises(UserError, match="must have a tap with a map larger than 1×1 for AMDIM"):
        AMDIM(**SMALL).build_model(maps(1))
