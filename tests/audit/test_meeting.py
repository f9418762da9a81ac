import numpy as np
import pytest

from rotkeras.audit.meeting import POSITIONS, meeting


def pairs_at(crops, position, side=12, gap=0):
    """The middle tile and that at a position, of crops of 40 pixels."""
    down, right = position
    top, left = 14 + down * (side + gap), 14 + right * (side + gap)
    first = crops[:, 14 : 14 + side, 14 : 14 + side]
    second = crops[:, top : top + side, left : left + side]
    return np.stack([first, second], axis=1).astype(np.float32)


@pytest.mark.parametrize("number", range(8))
def test_the_smallest_difference_is_where_the_tiles_meet(crops, number):
    seen = meeting(pairs_at(crops, POSITIONS[number]))
    assert (seen.shape, seen.dtype) == ((80, 24), np.float32)
    found = (seen[:, 8:16].argmax(axis=1) == number).mean()
    assert found > (0.5 if 0 in POSITIONS[number] else 0.25)  # chance is 0.125


def test_by_hand():
    pair = np.zeros((1, 2, 4, 4, 3), np.float32)
    pair[0, 0, :, 3] = 10  # the right side of the first
    pair[0, 1, :, 0] = 10  # and the left side of the second
    pair[0, 1, :, 1:] = 40
    seen = meeting(pair)[0]
    # No other side meets as well; but two corners and this side meet without any difference.
    np.testing.assert_allclose(seen[8:16][[2, 4, 7]], 1 / 3, atol=1e-4)
    apart = np.log1p([40, np.mean([10, 40, 40, 30]), 0, 40, 0, 40, np.mean([10, 40, 40, 30]), 0])
    # corners: up left has 0 beside 40; up right 10 beside 10; down left 0 beside 40
    np.testing.assert_allclose(seen[:8], apart - apart.mean(), atol=1e-5)


def test_the_control_sees_lines_inside_alone(crops):
    pairs = pairs_at(crops, (0, 1))
    inside = meeting(pairs, inset=3)
    changed = pairs.copy()
    changed[:, :, :2] = changed[:, :, -2:] = 0
    changed[:, :, :, :2] = changed[:, :, :, -2:] = 0
    corners = [0, 2, 5, 7]  # one pixel each: the lines of the sides run into the border
    np.testing.assert_array_equal(
        np.argsort(meeting(changed, inset=3)[:, corners], axis=1),
        np.argsort(inside[:, corners], axis=1),
    )


def test_ugly_tiles():
    for value in (0, 255):
        seen = meeting(np.full((2, 2, 6, 6, 3), value, np.float32))
        assert np.isfinite(seen).all()
        np.testing.assert_allclose(seen[:, 8:16], 0.125)
    noise = np.random.default_rng(0).integers(0, 256, (3, 2, 6, 7, 3)).astype(np.float32)
    assert np.isfinite(meeting(noise)).all()
    assert np.isfinite(meeting(noise, inset=1)).all()
