"""The matrices that AET draws and their parameters, against the definitions by hand."""

import numpy as np
import pytest

from rotkeras.data.keyed import Key
from rotkeras.pretext import transformations

KEY = Key(np.int64(4), np.int64(1), np.arange(200))
CENTRED = np.array([[16, 0, 16], [0, 16, 16], [0, 0, 1]])
"""From half sides about the centre to pixels of an image of 32 from its corner."""


def test_numbers_are_even_and_of_the_key_alone():
    unit = transformations.uniform(KEY._replace(index=np.arange(4000)), 12)
    assert unit.shape == (4000, 12)
    assert 0 <= unit.min() < 0.01
    assert 0.99 < unit.max() < 1
    np.testing.assert_allclose(unit.mean(axis=0), 0.5, atol=0.025)
    np.testing.assert_allclose(np.corrcoef(unit.T), np.eye(12), atol=0.08)
    again = transformations.uniform(KEY._replace(index=np.array([7])), 12)
    np.testing.assert_array_equal(again[0], unit[7])


def test_affine_matrices_are_the_inverse_of_the_transformation():
    unit = transformations.uniform(KEY, 5)
    made = transformations.affine(unit, 180, 0.2, (0.7, 1.3), 30)
    for u, found in zip(unit, made, strict=True):
        a, s = np.radians(180 * (2 * u[0] - 1)), np.radians(30 * (2 * u[4] - 1))
        factor = 0.7 + 0.6 * u[3]
        moved = 0.2 * 2 * (2 * u[1:3] - 1)
        forward = np.array(
            [
                [factor * np.cos(a), -factor * np.sin(a + s), moved[0]],
                [factor * np.sin(a), factor * np.cos(a + s), moved[1]],
                [0, 0, 1],
            ]
        )
        np.testing.assert_allclose(found, np.linalg.inv(forward), atol=1e-12)
    parameters = transformations.affine_parameters(made)
    np.testing.assert_array_equal(parameters, made[:, :2].reshape(-1, 6))
    np.testing.assert_array_equal(transformations.affine_matrices(parameters), made)


def published(u, shift, scale, turns):
    """The eight numbers in pixels of an image of 32, by the published steps about the centre 16,
    without rounding, and normalised."""
    factor = scale[0] + (scale[1] - scale[0]) * u[8]
    corners = [(0, 0), (32, 0), (32, 32), (0, 32)]
    points = [((x - 16) * factor + 16, (y - 16) * factor + 16) for x, y in corners]
    turn = int(4 * u[9]) if turns else 0
    points = [points[(i + turn) % 4] for i in range(4)]
    moves = 32 * shift * (2 * u[:8] - 1)
    points = [(x + moves[2 * i], y + moves[2 * i + 1]) for i, (x, y) in enumerate(points)]
    rows, wanted = [], []
    for (x, y), (to_x, to_y) in zip(points, corners, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -to_x * x, -to_x * y], [0, 0, 0, x, y, 1, -to_y * x, -to_y * y]]
        wanted += [to_x, to_y]
    numbers = np.linalg.lstsq(np.array(rows), np.array(wanted), rcond=None)[0]
    mean = np.array([0, 0, 16, 0, 0, 16, 0, 0])
    return (numbers - mean) / np.array([1, 1, 20, 1, 1, 20, 0.015, 0.015])


@pytest.mark.parametrize("turns", [True, False])
def test_projective_parameters_are_the_published_numbers(turns):
    unit = transformations.uniform(KEY, 10)
    made = transformations.projective(unit, 0.125, (0.8, 1.2), turns)
    found = transformations.projective_parameters(made)
    expected = [published(u, 0.125, (0.8, 1.2), turns) for u in unit]
    np.testing.assert_allclose(found, expected, atol=1e-8)
    again = transformations.projective_matrices(found)
    np.testing.assert_allclose(again / again[:, 2:, 2:], made, atol=1e-9)


def test_four_points_are_mapped_to_four():
    points = np.array([[[-0.9, -1.1], [1.2, -0.8], [0.7, 1.0], [-1.0, 0.8]]])
    matrix = transformations.between(points, transformations.CORNERS)[0]
    seen = np.concatenate([points[0], np.ones((4, 1))], axis=1) @ matrix.T
    np.testing.assert_allclose(seen[:, :2] / seen[:, 2:], transformations.CORNERS, atol=1e-12)


def test_outlines_are_where_corners_went():
    unit = transformations.uniform(KEY, 10)
    made = transformations.projective(unit, 0.125, (0.8, 1.2), True)
    moved = transformations.outlines(made)
    ones = np.ones((len(made), 4, 1))
    back = np.einsum("bij,bcj->bci", made, np.concatenate([moved, ones], axis=2))
    expected = np.broadcast_to(transformations.CORNERS, moved.shape)
    np.testing.assert_allclose(back[..., :2] / back[..., 2:], expected, atol=1e-9)
    # A prediction that is no transformation at all has an outline that can be drawn.
    assert np.isfinite(transformations.outlines(np.zeros((1, 3, 3)))).all()


def test_the_first_corner_of_a_quarter_turn():
    unit = np.full((1, 10), 0.5)
    unit[0, 9] = 0.3  # the second of four turns
    moved = transformations.outlines(transformations.projective(unit, 0.1, (1.0, 1.0), True))[0]
    np.testing.assert_allclose(moved[0], [1, -1], atol=1e-9)  # upper left went to the upper right
