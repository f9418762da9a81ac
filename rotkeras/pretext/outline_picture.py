"""A picture of transformed images with the outlines of the images that they were."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

Outlines = NDArray[np.float64]

TRUE, PREDICTED = (0, 150, 90), (230, 80, 0)
"""Colours of the outlines, which differ in brightness too: green and orange."""
_COLUMNS, _SIDE, _GAP = 4, 112, 6
_MARGIN = 0.3
"""White around an image, as a share of its side: outlines leave it."""
_FARTHEST = 50.0
"""Half sides from the centre, beyond which nothing is drawn."""


def draw_outlines(
    images: NDArray[np.uint8], true: Outlines, predicted: Outlines
) -> NDArray[np.uint8]:
    """Images side by side, four in a row, with the true outline in green below the predicted one
    in orange.

    Args:
        images: uint8 (N, S, S, 3).
        true, predicted: (N, 4, 2), corners in units of half a side from the centre of the image.

    Returns:
        uint8 (H, W, 3).
    """
    margin = round(_MARGIN * _SIDE)
    whole = _SIDE + 2 * margin
    rows, columns = -(-len(images) // _COLUMNS), min(len(images), _COLUMNS)
    size = (columns * (whole + _GAP) - _GAP, rows * (whole + _GAP) - _GAP)
    canvas = Image.new("RGB", size, "white")
    for number, pixels in enumerate(images):
        tile = Image.new("RGB", (whole, whole), "white")
        large = Image.fromarray(pixels).resize((_SIDE, _SIDE), Image.Resampling.BICUBIC)
        tile.paste(large, (margin, margin))
        draw = ImageDraw.Draw(tile)
        for corners, colour in ((true[number], TRUE), (predicted[number], PREDICTED)):
            draw.line(_pixels(corners, whole), fill=colour, width=3, joint="curve")
            # The first corner is the upper left one of the image: it shows which way is up.
            draw.circle(_pixels(corners, whole)[0], 4, fill=colour)
        place = (number % _COLUMNS * (whole + _GAP), number // _COLUMNS * (whole + _GAP))
        canvas.paste(tile, place)
    return np.asarray(canvas)


def _pixels(corners: Outlines, whole: int) -> list[tuple[float, float]]:
    """A closed line of corners, in pixels of a tile."""
    near = np.clip(np.nan_to_num(corners), -_FARTHEST, _FARTHEST)
    places: Any = (whole + near * _SIDE) / 2
    return [(float(x), float(y)) for x, y in [*places, places[0]]]
