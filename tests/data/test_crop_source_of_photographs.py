"""Crops of photographs: the map of each, its pixels, and what they do not depend on."""

import hashlib

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import map_coordinates
from sklearn.datasets import load_sample_image

from rotkeras.data import Crops
from rotkeras.data.crops import Photograph, _exponential, _maps, _sine_and_cosine, cut, shares
from rotkeras.errors import UserError

PLAIN = {"color_jitter": 0.0}


@pytest.fixture(scope="module")
def china():
    return Photograph(load_sample_image("china.jpg"))


def test_crops_are_a_function_of_seed_and_number(china):
    crops = Crops(count=1000)
    numbers = np.arange(200, 232)
    made = cut(china, crops, numbers, (32, 32))
    assert (made.shape, made.dtype) == ((32, 32, 32, 3), np.uint8)
    again = cut(china, crops, numbers[::-1], (32, 32))[::-1]
    np.testing.assert_array_equal(again, made)
    alone = np.concatenate([cut(china, crops, numbers[[each]], (32, 32)) for each in range(32)])
    np.testing.assert_array_equal(alone, made)
    other = cut(china, Crops(count=1000, seed=1), numbers, (32, 32))
    assert (other != made).any(axis=(1, 2, 3)).all()
    assert len({each.tobytes() for each in made}) == 32


@pytest.mark.parametrize(
    ("settings", "digest"),
    [(PLAIN, "336c6c7b648f06a1"), ({}, "38c76d33e4ade800")],
    ids=["without colours", "by default"],
)
def test_crops_are_the_same_on_every_machine(china, settings, digest):
    """As they were on the first one: nothing is asked of floats that IEEE 754 leaves open."""
    pattern = (np.arange(300)[:, None] * 7 + np.arange(400) * 3) % 256
    photograph = Photograph(np.stack([pattern, pattern[::-1], 255 - pattern], -1).astype(np.uint8))
    made = cut(photograph, Crops(count=64, **settings), np.arange(64), (16, 16))
    assert hashlib.sha256(made.tobytes()).hexdigest()[:16] == digest


def test_series_are_those_of_the_library():
    degrees = np.linspace(-180, 180, 1001)
    sine, cosine = _sine_and_cosine(degrees)
    np.testing.assert_allclose(sine, np.sin(np.radians(degrees)), rtol=0, atol=1e-14)
    np.testing.assert_allclose(cosine, np.cos(np.radians(degrees)), rtol=0, atol=1e-14)
    values = np.linspace(-1, 1, 101)
    np.testing.assert_allclose(_exponential(values), np.exp(values), rtol=1e-15)


def test_no_function_of_a_library_decides_pixels(china, monkeypatch):
    """A machine whose sines, exponentials or sums of floats differ makes the same crops."""
    crops, numbers = Crops(count=40, color_probability=1.0), np.arange(40)
    expected = cut(china, crops, numbers, (16, 16))
    monkeypatch.setattr(np, "mean", lambda *_args, **_more: pytest.fail("a sum of floats"))
    for name in ("sin", "cos", "tan", "exp", "log", "log2", "hypot", "dot", "matmul", "einsum"):
        monkeypatch.setattr(
            np, name, lambda *_args, _name=name, **_more: pytest.fail(f"np.{_name} is called")
        )
    monkeypatch.setattr(np.linalg, "det", lambda _matrix: pytest.fail("a product of matrices"))
    np.testing.assert_array_equal(cut(china, crops, numbers, (16, 16)), expected)


def test_pixels_are_bilinear_samples_of_the_photograph(china):
    """Against SciPy in floats, from the same maps; boxes so small that none is reduced."""
    crops = Crops(count=100, scale=(0.002, 0.01), **PLAIN)
    numbers, size = np.arange(40), (24, 24)
    maps, levels = _maps(china, crops, numbers, size)
    assert set(levels) == {0}
    made = cut(china, crops, numbers, size)
    place = 2 * np.arange(24) - 23
    for each in range(40):
        down = maps[each, :, 0, None, None] * place[:, None] + maps[each, :, 1, None, None] * place
        where = (down + maps[each, :, 2, None, None]) / 2**17
        expected = np.stack(
            [
                map_coordinates(
                    china.levels[0][..., channel].astype(float), where, order=1, mode="nearest"
                )
                for channel in range(3)
            ],
            axis=-1,
        )
        assert np.abs(made[each] - expected).max() <= 1.6  # weights have eight bits


def test_large_boxes_are_averaged_and_not_subsampled():
    """Of a fine chequerboard nothing but grey is left."""
    board = ((np.arange(1024)[:, None] + np.arange(1024)) % 2 * 255).astype(np.uint8)
    photograph = Photograph(np.stack([board] * 3, axis=-1))
    made = cut(photograph, Crops(count=9, scale=(0.9, 1.0), **PLAIN), np.arange(9), (16, 16))
    assert np.abs(made.astype(int) - 128).max() <= 2


def test_reduced_photographs_are_means_of_blocks(china):
    pixels = china.levels[0]
    by_hand = pixels[:426, :640].reshape(213, 2, 320, 2, 3).mean(axis=(1, 3))
    assert np.abs(china.levels[1] - by_hand).max() <= 0.5
    assert china.levels[2].shape == (106, 160, 3)


@pytest.mark.parametrize("size", [(32, 32), (16, 40)])
def test_no_crop_leaves_the_photograph(china, size):
    crops = Crops(count=2000)
    maps, levels = _maps(china, crops, np.arange(2000), size)
    corners = np.array(
        [(r, c, 1) for r in (1 - size[0], size[0] - 1) for c in (1 - size[1], size[1] - 1)]
    )
    places = np.einsum("nij,kj->nki", maps, corners) / 2**17 + 0.5
    places *= 2.0 ** levels[:, None, None]
    assert places.min() > -0.01
    assert (places.max(axis=(0, 1)) < np.array(china.shape) + 0.01).all()


def test_area_angle_shear_and_flips_are_as_asked(china):
    count = 4000
    maps, levels = _maps(china, Crops(count=count), np.arange(count), (32, 32))
    linear = maps[:, :, :2] * 2.0 ** levels[:, None, None] / 2**16
    # Twice the area that is seen is that of the box: its centre is shown.
    areas = np.abs(np.linalg.det(linear)) * 32**2 * 2 / (0.5 * 427) ** 2
    # Tall and wide boxes are drawn again where they do not fit.
    assert 0.002 * 0.9 < areas.min() < 0.01
    assert 0.9 < areas.max() < 1.01
    assert 0.4 < areas.mean() < 0.55
    assert np.mean(np.linalg.det(linear) < 0) == pytest.approx(0.5, abs=0.03)
    still = Crops(count=count, rotation=0.0, shear=0.0, flip=False)
    maps, _ = _maps(china, still, np.arange(count), (32, 32))
    assert (maps[:, 0, 1] == 0).all()
    assert (maps[:, 1, 0] == 0).all()
    assert (maps[:, [0, 1], [0, 1]] > 0).all()
    ratio = maps[:, 1, 1] / maps[:, 0, 0]
    assert 0.74 < ratio.min() < 0.78
    assert 1.28 < ratio.max() < 1.34
    turned = Crops(count=count, shear=0.0, flip=False)
    maps, _ = _maps(china, turned, np.arange(count), (32, 32))
    tall = np.hypot(*maps[:, 0, :2].T)
    angles = np.degrees(np.arcsin(-maps[:, 0, 1] / tall))
    assert -30.1 < angles.min() < -29
    assert 29 < angles.max() < 30.1


def test_colours_change_in_half_of_the_crops(china):
    numbers = np.arange(400)
    plain = cut(china, Crops(count=400, **PLAIN), numbers, (16, 16))
    jittered = cut(china, Crops(count=400), numbers, (16, 16))
    changed = (plain != jittered).any(axis=(1, 2, 3))
    assert 0.4 < changed.mean() < 0.6


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (3, 2), (7, 7), (64, 9)])
def test_tiny_photographs(shape):
    pixels = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    photograph = Photograph(pixels)
    made = cut(photograph, Crops(count=50, **PLAIN), np.arange(50), (32, 32))
    assert made.shape == (50, 32, 32, 3)
    assert made.min() >= pixels.min()
    assert made.max() <= pixels.max()
    strong = Crops(count=50, initial_crop=1.0, scale=(1.0, 1.0), rotation=180.0, shear=60.0)
    assert cut(photograph, strong, np.arange(50), (8, 8)).shape == (50, 8, 8, 3)


def test_a_grey_photograph_stays_grey():
    grey = Photograph(
        np.asarray(Image.fromarray(load_sample_image("flower.jpg")).convert("L").convert("RGB"))
    )
    made = cut(grey, Crops(count=60), np.arange(60), (16, 16)).astype(int)
    assert np.abs(made[..., 0] - made[..., 1]).max() <= 1
    assert np.abs(made[..., 0] - made[..., 2]).max() <= 1


def test_photographs_have_the_same_number_of_crops():
    assert [len(each) for each in shares(10, 3)] == [3, 3, 4]
    assert [*shares(10, 3)[1]] == [3, 4, 5]
    assert sum(len(each) for each in shares(50_000, 1000)) == 50_000
    assert [len(each) for each in shares(2, 2)] == [1, 1]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"count": 0}, "count must be at least 1, got 0"),
        ({"count": 10**12}, "count must be at most 1000000000"),
        ({"count": 2.5}, "count must be a whole number, got 2.5"),
        ({"initial_crop": 0.0}, "initial_crop must be greater than 0, got 0.0"),
        ({"initial_crop": 1.5}, "initial_crop must be at most 1, got 1.5"),
        ({"scale": (0.5, 0.1)}, "scale must be the least and the greatest value"),
        ({"rotation": 200.0}, "rotation must be at most 180, got 200.0"),
        ({"shear": 90.0}, "shear must be at most 60, got 90.0"),
        ({"color_probability": 2.0}, "color_probability must be at most 1, got 2.0"),
        ({"seed": -1}, "seed must be at least 0, got -1"),
    ],
)
def test_wrong_settings_are_sentences(settings, words):
    with pytest.raises(UserError, match=words):
        Crops(**{"count": 10, **settings})


def test_settings_of_yaml_and_of_python_are_the_same():
    assert repr(Crops(10, scale=[0.1, 1])) == repr(Crops(count=10, scale=(0.1, 1.0)))
