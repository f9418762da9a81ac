"""Images resampled by matrices: bilinear, one algorithm for NumPy and inside the step."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Tensor = Any

FILL = 128
"""The grey that lies around an image."""
_SHIFT = 8
_ONE = 1 << _SHIFT
"""Weights are whole numbers of this part, so that NumPy and devices round alike."""
_PIXELS = 1 << 15
"""Pixels that NumPy works on at a time: their numbers stay in the cache of a core."""
_RED_BLUE, _GREEN = np.uint32(0x00FF00FF), np.uint32(0x0000FF00)
_BITS, _HALF_RED_BLUE = np.uint32(_SHIFT), np.uint32(0x00800080)


def warp(images: Tensor, matrices: Tensor, library: Any) -> Tensor:
    """Images resampled at other places, bilinear, with grey (128) around them.

    Positions are in units of half a side, from the centre of the image: x from −1, the left edge,
    to 1, y from −1, the upper edge, to 1. A pixel between two of the image is their weighted mean,
    with weights in 1/256; the edge of the image is mixed with the grey around it in the same way.

    Args:
        images: uint8 (B, H, W, 3).
        matrices: float (B, 3, 3), from a position (x, y, 1) of the result to the position of the
            image that is seen there, up to a factor.
        library: `numpy` or `keras.ops`.

    Returns:
        uint8 (B, H, W, 3).

    Reference:
        bilinear interpolation with a constant beyond the border, as `scipy.ndimage` defines it
        (order 1, mode "grid-constant").
    """
    return _in_numpy(images, matrices) if library is np else _in_step(images, matrices, library)


def _places(matrices: Tensor, height: int, width: int, library: Any) -> tuple[Tensor, Tensor]:
    """(rows, columns) that are seen, in 1/256 pixel of an image with a pixel of grey before it and
    two behind: int32 (B, H, W) each."""
    across = (np.arange(width, dtype=np.float32) * 2 + (1 - width)) / np.float32(width)
    down = (np.arange(height, dtype=np.float32) * 2 + (1 - height)) / np.float32(height)

    def linear(row: int) -> Tensor:
        numbers = matrices[:, row, :, None]
        columns = numbers[:, 0] * across
        return columns[:, None] + (numbers[:, 1] * down + numbers[:, 2])[:, :, None]

    scale = linear(2)
    # What is as far as this lies beyond the image, on whichever side.
    scale = np.float32(1.0) / library.where(library.abs(scale) < 1e-6, np.float32(1e-6), scale)

    def fixed(row: int, side: int) -> Tensor:
        place = linear(row) * scale * np.float32(side / 2) + np.float32((side + 1) / 2)
        place = library.clip(place, 0.0, side + 1.0) * np.float32(_ONE) + np.float32(0.5)
        if library is np:
            return place.astype(np.int32)
        return library.cast(library.floor(place), "int32")

    return fixed(1, height), fixed(0, width)


def _in_numpy(images: NDArray[np.uint8], matrices: NDArray[Any]) -> NDArray[np.uint8]:
    count, height, width, _ = images.shape
    # A pixel is one number of 32 bits, so that its channels are gathered and weighted together.
    padded = np.full((count, height + 3, width + 3), FILL * 0x010101, np.uint32)
    padded.view(np.uint8).reshape(*padded.shape, 4)[:, 1:-2, 1:-2, :3] = images
    made, matrices = np.empty_like(images), matrices.astype(np.float32)
    step = max(1, _PIXELS // (height * width))
    for begin in range(0, count, step):
        some, pixels = slice(begin, begin + step), padded[begin : begin + step]
        rows, columns = _places(matrices[some], height, width, np)
        place = (rows >> _SHIFT) * (width + 3) + (columns >> _SHIFT)
        place += (np.arange(len(pixels), dtype=np.int32) * pixels[0].size)[:, None, None]
        right, below = ((each & (_ONE - 1)).astype(np.uint32) for each in (columns, rows))
        flat = pixels.reshape(-1)
        upper = _mixed(flat.take(place), flat.take(place + 1), right)
        place += width + 3
        lower = _mixed(flat.take(place), flat.take(place + 1), right)
        mixed = _mixed(upper, lower, below)
        made[some] = mixed.view(np.uint8).reshape(*mixed.shape, 4)[..., :3]
    return made


def _mixed(
    here: NDArray[np.uint32], there: NDArray[np.uint32], share: NDArray[np.uint32]
) -> NDArray[np.uint32]:
    """Pixels here and there, with a share there in 1/256, rounded: red and blue in one product,
    green in another."""
    rest = np.uint32(_ONE) - share
    made = (here & _RED_BLUE) * rest
    made += (there & _RED_BLUE) * share
    made += _HALF_RED_BLUE
    made >>= _BITS
    made &= _RED_BLUE
    green = ((here & _GREEN) >> _BITS) * rest
    green += ((there & _GREEN) >> _BITS) * share
    green += np.uint32(_ONE // 2)
    green &= _GREEN
    made |= green
    return made


def _in_step(images: Tensor, matrices: Tensor, ops: Any) -> Tensor:
    height, width = images.shape[1:3]
    values = ops.cast(images, "int32")
    padded = ops.pad(values, ((0, 0), (1, 2), (1, 2), (0, 0)), constant_values=FILL)
    flat = ops.reshape(padded, (-1, (height + 3) * (width + 3), 3))
    rows, columns = _places(ops.cast(matrices, "float32"), height, width, ops)
    place = ops.reshape((rows // _ONE) * (width + 3) + columns // _ONE, (-1, height * width, 1))
    right, below = (ops.reshape(each % _ONE, (-1, height * width, 1)) for each in (columns, rows))

    def mixed(here: Tensor, there: Tensor, share: Tensor) -> Tensor:
        return (here * (_ONE - share) + there * share + _ONE // 2) // _ONE

    def line(begin: Tensor) -> Tensor:
        # Each image is gathered from by itself, see `pad_crop_flip`.
        here, there = (ops.take_along_axis(flat, begin + each, axis=1) for each in (0, 1))
        return mixed(here, there, right)

    made = mixed(line(place), line(place + width + 3), below)
    return ops.cast(ops.reshape(made, (-1, height, width, 3)), "uint8")
