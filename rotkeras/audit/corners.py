"""Empty corners: what a rotation by interpolation leaves where the picture ended."""

import numpy as np
from numpy.typing import NDArray

_TOLERANCE = 28
"""Grey levels by which a pixel of the fill may differ from it: the ringing of JPEG at quality 75
along the hypotenuse."""


def empty_corners(images: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Which images have the corners of a turned picture: flat triangles of one colour, in opposite
    corners alike.

    A picture that was turned about its centre by any angle but a quarter leaves a right triangle in
    each corner. What else has flat corners is distinguished from that: bars and plain backgrounds
    cover whole sides, the view through a round lens is curved, and a frame has rectangles for
    corners.

    Args:
        images: uint8 (n, S, S, 3).

    Returns:
        bool (n,).
    """
    # A canvas that grew with the picture is rounded up: its outermost rows may be nothing but fill.
    outer = np.concatenate(
        [images[:, 0], images[:, -1], images[:, :, 0], images[:, :, -1]], axis=1
    ).astype(np.int16)
    bare = (np.abs(outer - outer[:, :1]) <= _TOLERANCE).all(axis=2).mean(axis=1) > 0.9
    return np.asarray(_at_the_edge(images) | (bare & _at_the_edge(images[:, 2:-2, 2:-2])))


def _at_the_edge(images: NDArray[np.uint8]) -> NDArray[np.bool_]:
    side = images.shape[1]
    wide = images.astype(np.int16)
    tips = np.stack([wide[:, 0, 0], wide[:, 0, -1], wide[:, -1, -1], wide[:, -1, 0]], axis=1)
    fill = np.median(tips, axis=1).astype(np.int16)
    filled = (np.abs(wide - fill[:, None, None]) <= _TOLERANCE).all(axis=3)
    legs, triangular = [], []
    for turns in range(4):
        along, down, area = _corner(np.rot90(filled, turns, (1, 2)))
        legs.append((along, down))
        # A triangle covers half of the rectangle of its legs; pixels make a coarse one of it, and
        # that of a round view covers 0.38.
        box = along * down
        triangular.append(
            (box > 0)
            & (area <= 0.5 * box + 0.5 * (along + down))
            & (area >= 0.44 * box)
            & (np.maximum(along, down) >= 3)
        )
    a, d = (np.stack([leg[k] for leg in legs], axis=1) for k in (0, 1))
    # Each side begins with one corner's run and ends with the next one's. They may meet where the
    # canvas grew with the turned picture, but not cover each other, as those of a bar or a
    # background do: each is the whole side.
    gap = (a + np.roll(d, 1, axis=1) <= side + 2).all(axis=1)
    slack = np.maximum(1.0, 0.15 * np.maximum(a, d).max(axis=1))[:, None]
    alike = (np.abs(a[:, :2] - a[:, 2:]) <= slack).all(axis=1) & (
        np.abs(d[:, :2] - d[:, 2:]) <= slack
    ).all(axis=1)
    flat = (np.abs(tips - fill[:, None]) <= _TOLERANCE).all(axis=(1, 2))
    return np.asarray(flat & gap & alike & np.all(triangular, axis=0))


def _corner(
    filled: NDArray[np.bool_],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Of the fill in the upper left corner: its run along the top, its run down the left, and its
    pixels, each int64 (n,)."""
    rows = np.minimum.accumulate(filled, axis=2).sum(
        axis=2
    )  # how far each row is filled from the left
    rows = np.minimum.accumulate(rows, axis=1)  # it narrows away from the corner
    return rows[:, 0], (rows > 0).sum(axis=1), rows.sum(axis=1)
