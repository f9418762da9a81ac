"""Resampling, against scipy.ndimage and by hand."""

import time

import numpy as np
import pytest
import scipy.ndimage
from keras import ops
from PIL import Image

from rotkeras.pretext.warp import FILL, warp


def matrices(count=6, seed=0, bend=0.2):
    """Random projective matrices near turns."""
    rng = np.random.default_rng(seed)
    made = np.tile(np.eye(3), (count, 1, 1))
    angle = rng.uniform(-np.pi, np.pi, count)
    made[:, 0, 0], made[:, 0, 1] = np.cos(angle), np.sin(angle)
    made[:, 1, 0], made[:, 1, 1] = -np.sin(angle), np.cos(angle)
    made[:, :2] += rng.uniform(-0.4, 0.4, (count, 2, 3))
    made[:, 2, :2] = rng.uniform(-bend, bend, (count, 2))
    return made


def images(count=6, height=20, width=20, seed=1):
    return np.random.default_rng(seed).integers(0, 256, (count, height, width, 3), np.uint8)


def reference(image, matrix):
    """Interpolation of scipy at the places, in float64."""
    height, width = image.shape[:2]
    y, x = np.mgrid[:height, :width]
    x, y = (x + 0.5) / (width / 2) - 1, (y + 0.5) / (height / 2) - 1
    seen = np.stack([x, y, np.ones_like(x)], axis=-1) @ matrix.T
    column = (seen[..., 0] / seen[..., 2] + 1) * width / 2 - 0.5
    row = (seen[..., 1] / seen[..., 2] + 1) * height / 2 - 0.5
    return np.stack(
        [
            scipy.ndimage.map_coordinates(
                image[..., channel].astype(np.float64),
                [row, column],
                order=1,
                mode="grid-constant",
                cval=FILL,
            )
            for channel in range(3)
        ],
        axis=-1,
    )


@pytest.mark.parametrize("size", [(8, 8), (32, 32), (24, 17)])
def test_it_is_the_interpolation_of_scipy(size):
    pixels, chosen = images(6, *size), matrices()
    made = warp(pixels, chosen, np)
    for image, matrix, found in zip(pixels, chosen, made, strict=True):
        # Weights in 1/256 and two roundings: at most 2 grey levels.
        assert np.abs(reference(image, matrix) - found).max() < 2


@pytest.mark.parametrize("size", [(8, 8), (32, 32), (24, 17)])
def test_inside_the_step_it_is_the_same(size):
    pixels, chosen = images(40, *size), matrices(40).astype(np.float32)
    inside = np.asarray(warp(pixels, chosen, ops)).astype(int)
    assert np.abs(inside - warp(pixels, chosen, np)).max() <= 1


def test_pillow_sees_the_same_inside_of_the_image():
    pixels = images(1, 32, 32)
    turned = matrices(1, bend=0.1)
    to_pixels = np.array([[16, 0, 16], [0, 16, 16], [0, 0, 1]])
    numbers = to_pixels @ turned[0] @ np.linalg.inv(to_pixels)
    expected = Image.fromarray(pixels[0]).transform(
        (32, 32),
        Image.Transform.PERSPECTIVE,
        (numbers / numbers[2, 2]).ravel()[:8].tolist(),
        Image.Resampling.BILINEAR,
        fillcolor=(FILL,) * 3,
    )
    expected, made = np.asarray(expected).astype(int), warp(pixels, turned, np)[0]
    near = np.abs(expected - made).max(axis=-1)
    # Pillow's edge is hard, ours is mixed with the grey around: pixels on the edge differ.
    assert np.mean(near <= 3) > 0.8
    whole = scipy.ndimage.minimum_filter(warp(np.full_like(pixels, 255), turned, np)[0, ..., 0], 3)
    assert near[whole == 255].max() <= 3


def test_nothing_moves_without_a_transformation():
    pixels = images()
    np.testing.assert_array_equal(warp(pixels, np.tile(np.eye(3), (6, 1, 1)), np), pixels)


def test_quarter_turns_are_exact():
    pixels = images()
    turn = np.tile(np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]]), (6, 1, 1))
    # The result at (x, y) shows the image at (−y, x): what was on the right edge is on top.
    np.testing.assert_array_equal(warp(pixels, turn, np), np.rot90(pixels, 1, axes=(1, 2)))


def test_by_hand_six_by_six():
    image = np.zeros((1, 6, 6, 3), np.uint8)
    image[0, 2, 3] = (100, 200, 50)
    moved = np.eye(3)[None].copy()
    moved[0, 0, 2] = 0.5 * 2 / 6  # half a pixel: the result shows the image further right
    expected = np.zeros((6, 6, 3))
    expected[2, 2] = expected[2, 3] = (50, 100, 25)
    expected[:, 5] = FILL / 2  # half of the last column is grey
    np.testing.assert_array_equal(warp(image, moved, np)[0], expected)


def test_what_lies_outside_is_grey():
    away = np.eye(3)[None].copy()
    away[0, 0, 2] = 9
    assert (warp(images(1), away, np) == FILL).all()
    # Behind the horizon, and on it: no warning and no image.
    behind = np.array([[[1.0, 0, 0], [0, 1, 0], [3, 0, -2.8]]])
    with np.errstate(all="raise"):
        made = warp(images(1), behind, np)
    assert made.shape == (1, 20, 20, 3)


@pytest.mark.long
def test_it_is_fast():
    pixels, chosen = images(512, 32, 32), matrices(512)
    seconds = []
    for _ in range(7):
        began = time.thread_time()
        warp(pixels, chosen, np)
        seconds.append(time.thread_time() - began)
    assert 512 / min(seconds) > 10_000  # 48,000 on a quiet core
