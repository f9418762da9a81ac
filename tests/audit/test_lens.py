import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import shift

from rotkeras.audit.lens import lens


@pytest.fixture(scope="module")
def grey(crops):
    """Smooth grey crops: float64 (80, 40, 40)."""
    wide = np.stack(
        [np.asarray(Image.fromarray(each).resize((80, 80), Image.BICUBIC)) for each in crops]
    )
    return wide[:, 20:60, 20:60].mean(axis=3)


def in_colours(red, green, blue):
    return np.stack([red, green, blue], axis=-1).astype(np.float32)


@pytest.mark.parametrize("moved", [(0.5, 0.0), (0.0, -0.5), (0.3, 0.3)])
def test_the_shift_of_red_and_blue_is_found(grey, moved):
    red = np.stack([shift(each, moved, order=3, mode="nearest") for each in grey])
    blue = np.stack([shift(each, (-moved[0], -moved[1]), order=3, mode="nearest") for each in grey])
    seen = lens(in_colours(red, grey, blue)).mean(axis=0)
    # A plane that is moved down by s is green − s · slope: the estimate has the other sign. It is
    # smaller than the shift, since strong edges are clipped.
    for of_one, sign in ((seen[:2], -1), (seen[3:5], 1)):
        for number in (0, 1):
            share = of_one[number] * sign / moved[number] if moved[number] else 0.4
            assert 0.3 < share < 1.1
            assert abs(of_one[number]) < 0.05 or moved[number]


def test_an_enlarged_red_points_away_from_the_middle(grey):
    images = np.stack(
        [
            np.asarray(
                Image.fromarray(each.astype(np.float32)).transform(
                    (40, 40), Image.Transform.AFFINE, (0.97, 0, 0.6, 0, 0.97, 0.6), Image.BICUBIC
                )
            )
            for each in grey
        ]
    )
    seen = lens(in_colours(images, grey, grey)).mean(axis=0)
    assert seen[2] < -0.2
    np.testing.assert_allclose(seen[[0, 1]], 0, atol=0.15)
    np.testing.assert_allclose(seen[3:], 0, atol=1e-4)


def test_grey_flat_and_tiny_views_have_no_shift(grey):
    seen = lens(in_colours(grey, grey, grey))
    assert (seen.shape, seen.dtype) == ((80, 6), np.float32)
    np.testing.assert_allclose(seen, 0, atol=1e-5)
    for side in (3, 4, 8):
        flat = np.full((2, side, side, 3), (10, 200, 90), np.float32)
        np.testing.assert_array_equal(lens(flat), np.zeros((2, 6)))
    noise = np.random.default_rng(0).integers(0, 256, (5, 3, 3, 3)).astype(np.float32)
    assert np.isfinite(lens(noise)).all()


def test_the_estimate_is_least_squares(grey):
    """Of one view, by NumPy's own solver."""
    red = np.roll(grey[0], 1, axis=0)

    def standard(plane):
        return (plane - plane.mean()) / max(plane.std(), 1)

    green = standard(grey[0])
    down, right = (each[1:-1, 1:-1] for each in np.gradient(green))
    place = np.linspace(-1, 1, 38)
    slopes = [down, right, down * place[:, None] + right * place]
    matrix = np.stack([each.ravel() for each in slopes], axis=1)
    rest = np.clip(standard(red) - green, -0.3, 0.3)[1:-1, 1:-1].ravel()
    count = len(rest)
    damped = np.concatenate([matrix, np.sqrt(0.02 * count) * np.eye(3)])
    expected = np.linalg.lstsq(damped, np.concatenate([rest, np.zeros(3)]), rcond=None)[0]
    seen = lens(in_colours(red, grey[0], grey[0])[None])[0]
    np.testing.assert_allclose(seen[:3], expected, rtol=1e-2, atol=1e-3)
