import numpy as np
import pytest
from damaged import as_jpeg, rotated

from rotkeras.audit.corners import empty_corners


def test_untouched_photographs_have_none(crops):
    assert not empty_corners(crops).any()


@pytest.mark.parametrize("degrees", [4, 10, -20, 30, 45, 75])
@pytest.mark.parametrize("expand", [False, True])
def test_turned_by_interpolation(crops, degrees, expand):
    assert empty_corners(rotated(crops, degrees, expand=expand)).mean() > 0.6


def test_in_other_colours_and_after_jpeg(crops):
    assert empty_corners(rotated(crops, 20, fillcolor=(255, 0, 255))).mean() > 0.6
    assert empty_corners(as_jpeg(rotated(crops, 20), 75)).mean() > 0.3


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_exact_quarter_turns_leave_none(crops, turns):
    assert not empty_corners(np.rot90(crops, turns, (1, 2))).any()


def test_what_only_looks_like_it(crops):
    side = crops.shape[1]
    bars = crops.copy()
    bars[:, :5] = bars[:, -5:] = 0
    assert not empty_corners(bars).any()
    frame = bars.copy()
    frame[:, :, :5] = frame[:, :, -5:] = 0
    assert not empty_corners(frame).any()
    squares = crops.copy()  # rectangles in the corners
    for rows in (slice(0, 8), slice(side - 8, side)):
        for columns in (slice(0, 8), slice(side - 8, side)):
            squares[:, rows, columns] = 0
    assert not empty_corners(squares).any()
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    lens = crops.copy()
    lens[:, np.hypot(x, y) > side / 2] = 0
    assert not empty_corners(lens).any()
    plain = np.full_like(crops, 255)  # a product on white
    plain[:, 8:32, 8:32] = crops[:, 8:32, 8:32]
    assert not empty_corners(plain).any()


def test_digits_on_black_have_none():
    from rotkeras.data import load

    digits = load("digits", validation_fraction=0).train.take(slice(None))
    assert empty_corners(digits).mean() < 0.005


def test_one_corner_is_not_enough(crops):
    images = rotated(crops, 20)
    found = empty_corners(images)
    images[:, :20, :20] = crops[:, :20, :20]
    assert found.mean() > 0.6
    assert not empty_corners(images).any()
