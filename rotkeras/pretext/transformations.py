"""The transformations of images that AET draws, as matrices and as parameters to predict."""

import numpy as np
from numpy.typing import NDArray

from rotkeras.data import draws
from rotkeras.data.augmentation import FIRST_FREE_STREAM
from rotkeras.data.color import UNIT
from rotkeras.data.keyed import Key

Numbers = NDArray[np.float64]

CORNERS = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], np.float64)
"""Of an image, in units of half a side from its centre: upper left, then clockwise."""

_LEAST_VARIANCE = 1e-9
"""A parameter that varies less is the same in all transformations: nothing of it is explained."""

_TO_CORNER = np.array([[1, 0, 1], [0, 1, 1], [0, 0, 1]], np.float64)
"""From positions relative to the centre to those relative to the upper left corner."""
# Of the published code, for which a side has 32 pixels: (16, 20, 0.015) pixels in half sides.
_MEAN = np.array([0, 0, 1, 0, 0, 1, 0, 0], np.float64)
_SPREAD = np.array([1, 1, 1.25, 1, 1, 1.25, 0.24, 0.24], np.float64)


def uniform(key: Key, count: int) -> Numbers:
    """Random numbers of each image: float64 (B, count) in [0, 1), count ≤ 12; of a key of NumPy
    numbers."""
    streams = range(FIRST_FREE_STREAM, FIRST_FREE_STREAM + count)
    return np.asarray(draws.draw(key, *((stream, UNIT) for stream in streams)) / UNIT)


def affine(
    unit: Numbers, rotation: float, translation: float, scale: tuple[float, float], shear: float
) -> Numbers:
    """The matrices of random affine transformations, from the transformed image to the image.

    Args:
        unit: (B, 5) in [0, 1): angle, translations along x and y, scale, shear.
        rotation: largest angle in degrees, in both directions.
        translation: largest, as a share of the side.
        scale: least and greatest.
        shear: largest angle in degrees.

    Returns:
        float64 (B, 3, 3), of positions in units of half a side from the centre. The image is
        transformed by scale · [[cos a, −sin(a + s)], [sin a, cos(a + s)]] and then moved, where y
        points down, as torchvision 0.2 has it.
    """
    both = unit * 2 - 1
    angle, shear_angle = np.radians(rotation) * both[:, 0], np.radians(shear) * both[:, 4]
    moved = 2 * translation * both[:, 1:3]
    factor = scale[0] + unit[:, 3] * (scale[1] - scale[0])
    sheared = angle + shear_angle
    made = np.zeros((len(unit), 3, 3))
    made[:, 0, 0], made[:, 0, 1] = np.cos(sheared), np.sin(sheared)
    made[:, 1, 0], made[:, 1, 1] = -np.sin(angle), np.cos(angle)
    made[:, :2, :2] /= (factor * np.cos(shear_angle))[:, None, None]
    made[:, :2, 2] = -np.einsum("bij,bj->bi", made[:, :2, :2], moved)
    made[:, 2, 2] = 1
    return made


def projective(
    unit: Numbers, corner_shift: float, scale: tuple[float, float], quarter_turns: bool
) -> Numbers:
    """The matrices of random projective transformations, from the transformed image to the image.

    The corners of the image are scaled about its centre, turned by a quarter, and moved each by
    itself.

    Args:
        unit: (B, 10) in [0, 1): the moves of four corners along x and y, scale, turn.
        corner_shift: largest move of a corner along x or y, as a share of the side.
        scale: least and greatest.
        quarter_turns: whether one of four quarter turns is drawn, and else none.

    Returns:
        float64 (B, 3, 3), of positions in units of half a side from the centre, whose last number
        is 1.
    """
    moves = 2 * corner_shift * (unit[:, :8].reshape(-1, 4, 2) * 2 - 1)
    factor = scale[0] + unit[:, 8] * (scale[1] - scale[0])
    turns = (unit[:, 9] * 4).astype(np.int64) if quarter_turns else np.zeros(len(unit), np.int64)
    places = CORNERS[(np.arange(4) + turns[:, None]) % 4]
    return between(factor[:, None, None] * places + moves, CORNERS)


def between(points: Numbers, others: Numbers) -> Numbers:
    """The projective matrices (B, 3, 3) that map four points each (B, 4, 2) to others (4, 2); the
    last number is 1."""
    count = len(points)
    x, y = points[..., 0], points[..., 1]
    equations = np.zeros((count, 2, 4, 8))
    for axis in (0, 1):
        first = 3 * axis
        equations[:, axis, :, first], equations[:, axis, :, first + 1] = x, y
        equations[:, axis, :, first + 2] = 1
        equations[:, axis, :, 6] = -others[:, axis] * x
        equations[:, axis, :, 7] = -others[:, axis] * y
    wanted = np.broadcast_to(others.T.reshape(8, 1), (count, 8, 1))
    found = np.linalg.solve(equations.reshape(count, 8, 8), wanted)[..., 0]
    return np.concatenate([found, np.ones((count, 1))], axis=1).reshape(count, 3, 3)


def varies(variances: Numbers) -> NDArray[np.bool_]:
    """Whether each parameter differs between transformations, from their variances (P,)."""
    return np.asarray(variances > _LEAST_VARIANCE)


def affine_parameters(matrices: Numbers) -> Numbers:
    """(B, 6): the numbers of the two upper rows of affine matrices."""
    return matrices[:, :2].reshape(-1, 6)


def projective_parameters(matrices: Numbers) -> Numbers:
    """(B, 8): the numbers of projective matrices of positions relative to the upper left corner,
    whose last is 1, less the published means and over the published spreads. For images of 32
    pixels they are those of the published code."""
    moved = _TO_CORNER @ matrices @ np.linalg.inv(_TO_CORNER)
    last = np.where(moved[:, 2:, 2:] == 0, 1, moved[:, 2:, 2:])  # of zeros that only have a shape
    return np.asarray(((moved / last).reshape(-1, 9)[:, :8] - _MEAN) / _SPREAD)


def affine_matrices(parameters: Numbers) -> Numbers:
    """The matrices (B, 3, 3) of parameters (B, 6)."""
    last = np.tile([0.0, 0.0, 1.0], (len(parameters), 1))
    return np.concatenate([parameters, last], axis=1).reshape(-1, 3, 3)


def projective_matrices(parameters: Numbers) -> Numbers:
    """The matrices (B, 3, 3) of parameters (B, 8), relative to the centre, up to a factor."""
    numbers = parameters * _SPREAD + _MEAN
    moved = np.concatenate([numbers, np.ones((len(numbers), 1))], axis=1).reshape(-1, 3, 3)
    return np.asarray(np.linalg.inv(_TO_CORNER) @ moved @ _TO_CORNER)


def outlines(matrices: Numbers) -> Numbers:
    """Where the corners of the image lie in the transformed image: (B, 4, 2) of matrices (B, 3, 3)
    from the transformed image to the image."""
    first, second, third = np.moveaxis(matrices, 1, 0)
    # The inverse up to a factor, which a prediction of a singular matrix has too.
    inverse = np.stack(
        [np.cross(second, third), np.cross(third, first), np.cross(first, second)], axis=2
    )
    corners = np.concatenate([CORNERS, np.ones((4, 1))], axis=1)
    places = np.einsum("bij,cj->bci", inverse, corners)
    scale = places[..., 2:]
    return np.asarray(places[..., :2] / np.where(np.abs(scale) < 1e-9, 1e-9, scale))
