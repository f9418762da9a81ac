"""Pictures of tiles: a puzzle as a network has solved it."""

import numpy as np
from numpy.typing import NDArray

from rotkeras.pretext.tiles import COUNT, SIDE

Pixels = NDArray[np.uint8]

MOST = 6
"""Images in a picture."""
_LEAST_SIDE = 96
"""Pixels of the shorter side of an image; smaller ones are enlarged by whole numbers."""
_WHITE, _RED = (255, 255, 255), (214, 39, 40)
_SPACE = 12


def solved_puzzles(
    images: Pixels, tiles: Pixels, shown: NDArray[np.int32], told: NDArray[np.int32]
) -> Pixels:
    """A row for each image: the image, its tiles in the order that was shown, and put back by the
    order that the network told, where tiles at a wrong place have a red frame.

    Args:
        images: uint8 (N, H, W, 3).
        tiles: uint8 (N, 9, h, w, 3), in their true order.
        shown: int32 (N, 9), which tile stood at each place.
        told: int32 (N, 9), which tile the network took each for.

    Returns:
        uint8 (h', w', 3).
    """
    scale = max(1, -(-_LEAST_SIDE // min(images.shape[1:3])))
    rows = []
    for image, of_image, order, guess in zip(images, tiles, shown, told, strict=True):
        put = np.empty_like(of_image)
        put[guess] = of_image[order]
        wrong = np.zeros(COUNT, bool)
        wrong[guess] = order != guess
        rows.append(
            [
                enlarged(image, scale),
                board(of_image[order], image.shape, scale),
                board(put, image.shape, scale, wrong),
            ]
        )
    height, width = rows[0][0].shape[:2]
    canvas = np.full(
        (len(rows) * (height + _SPACE) - _SPACE, 3 * (width + _SPACE) - _SPACE, 3), 255, np.uint8
    )
    for line, row in enumerate(rows):
        for column, each in enumerate(row):
            top, left = line * (height + _SPACE), column * (width + _SPACE)
            canvas[top : top + height, left : left + width] = each
    return canvas


def board(
    tiles: Pixels, shape: tuple[int, ...], scale: int, wrong: NDArray[np.bool_] | None = None
) -> Pixels:
    """Nine tiles (9, h, w, 3) in the middle of the cells of an image (H, W, 3), enlarged, those
    that are `wrong` (9,) with a frame."""
    made = np.full((scale * shape[0], scale * shape[1], 3), _WHITE, np.uint8)
    cells = [scale * shape[0] // SIDE, scale * shape[1] // SIDE]
    thick = max(2, scale)
    for number, tile in enumerate(tiles):
        large = enlarged(tile, scale)
        height, width = large.shape[:2]
        row, column = divmod(number, SIDE)
        top = row * cells[0] + (cells[0] - height) // 2
        left = column * cells[1] + (cells[1] - width) // 2
        if wrong is not None and wrong[number]:
            made[
                max(0, top - thick) : top + height + thick,
                max(0, left - thick) : left + width + thick,
            ] = _RED
        made[top : top + height, left : left + width] = large
    return made


def enlarged(image: Pixels, scale: int) -> Pixels:
    """An image whose every pixel becomes a square."""
    return image.repeat(scale, axis=0).repeat(scale, axis=1)
