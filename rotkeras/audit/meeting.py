"""How two tiles meet: whether lines and colours run on from the border of one to the other's.

Reference:
    Doersch, Gupta, Efros, ICCV 2015, section 3.1: boundary patterns and textures that continue
    between patches, which is why there is a gap between them.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

POSITIONS = ((-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1))
"""(down, right) of the second tile from the first, in the order of `ShortcutViews.beside`."""


def meeting(pairs: Floats, inset: int = 0) -> Floats:
    """How well the second tile goes on where the first one ends, at each of eight places.

    Args:
        pairs: float32 (n, 2, h, w, 3).
        inset: pixels between the borders and the lines that are compared: 0 for the borders
            themselves, more for a control.

    Returns:
        float32 (n, 24): for the eight positions the logarithm of the mean difference of the facing
        lines (of a corner: of the facing corner pixels), against that of the other positions, and
        the share by which it is the smallest; for the four sides the difference to the line that
        runs on straight, and the correlation.
    """
    first, second = pairs[:, 0], pairs[:, 1]
    differences, straight, alike = [], [], []
    for down, right in POSITIONS:
        here, before = (_line(first, down, right, inset + step) for step in (0, 1))
        there = _line(second, -down, -right, inset)
        differences.append(_distance(here, there))
        if 0 in (down, right):
            straight.append(_distance(2 * here - before, there))
            alike.append(_correlation(here, there))
    apart = np.stack(differences, axis=1)
    beyond = np.stack(straight, axis=1)
    sharp = np.exp(-4 * (apart - apart.min(axis=1, keepdims=True)))
    return np.concatenate(
        [
            apart - apart.mean(axis=1, keepdims=True),
            sharp / sharp.sum(axis=1, keepdims=True),
            beyond - beyond.mean(axis=1, keepdims=True),
            np.stack(alike, axis=1),
        ],
        axis=1,
    ).astype(np.float32)


def _line(tiles: Floats, down: int, right: int, inset: int) -> Floats:
    """The line of pixels at the border in a direction, or the corner, some pixels inside: (n, m,
    3)."""
    rows = {-1: slice(inset, inset + 1), 0: slice(None), 1: slice(-1 - inset, _end(inset))}[down]
    columns = {-1: slice(inset, inset + 1), 0: slice(None), 1: slice(-1 - inset, _end(inset))}[
        right
    ]
    return tiles[:, rows, columns].reshape(len(tiles), -1, 3)


def _end(inset: int) -> int | None:
    return -inset if inset else None


def _distance(here: Floats, there: Floats) -> Floats:
    """Logarithm of the mean absolute difference in grey levels: (n,)."""
    return np.asarray(np.log1p(np.abs(here - there).mean(axis=(1, 2))))


def _correlation(here: Floats, there: Floats) -> Floats:
    """Correlation of grey along two lines, 0 where one is flat: (n,)."""
    first, second = (each.mean(axis=2) - each.mean(axis=(1, 2))[:, None] for each in (here, there))
    scale = np.sqrt((first**2).mean(axis=1) * (second**2).mean(axis=1))
    return np.asarray((first * second).mean(axis=1) / np.maximum(scale, 1.0))
