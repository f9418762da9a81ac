"""Examples for the page: some images side by side, each with its number."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rotkeras.page import Picture, to_picture

_PER_ROW, _TILE, _GAP = 6, 96, 8


def sheet(rows: Sequence[NDArray[np.uint8]], alternative: str, caption: str) -> Picture:
    """Images in rows of six, enlarged to about 96 pixels; small ones without smoothing.

    Args:
        rows: one or two sequences uint8 (n, S, S, 3) of equal length; the second stands below the
            first, image by image.
        alternative: what is shown, for those who do not see it.
        caption: what stands below.
    """
    side = rows[0].shape[1]
    times = max(1, _TILE // side)
    tiles = [np.repeat(np.repeat(each, times, axis=1), times, axis=2) for each in rows]
    step = side * times + _GAP
    count = len(tiles[0])
    across, down = min(_PER_ROW, count), -(-count // _PER_ROW)
    canvas = np.full((down * len(tiles) * step - _GAP, across * step - _GAP, 3), 255, np.uint8)
    for number in range(count):
        for line, of_line in enumerate(tiles):
            top, left = (number // _PER_ROW * len(tiles) + line) * step, number % _PER_ROW * step
            canvas[top : top + side * times, left : left + side * times] = of_line[number]
    return to_picture(canvas, alternative, caption, pixelated=times > 1, lossless=False)
