"""The colours of tiles, without what tells where in an image a tile was cut: grey images, dropped
colours, and one mean and deviation for all tiles.

NumPy on the host and `keras.ops` inside the step compute the same formulas in float32 and round
once, at the end, so they agree within one grey level.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rotkeras.data.color import GREY, UNIT

Tensor = Any

MEAN, DEVIATION = 128.0, 64.0
"""Of a standardised tile. Views are uint8, and backbones normalise them themselves, for photographs
of about this mean and deviation: so a network sees tiles as it later sees whole images. What is
more than two deviations from the mean is clipped."""

_LEAST_DEVIATION = 1.0
"""In grey levels: the noise of a flat tile is not made larger than 64 times."""
_NOISE = 0.01
"""Standard deviation of the noise in dropped colours, as a share of that of the colour that is
left."""
_CHUNK = 256
"""Tiles that NumPy works on at a time: their floats stay in the cache of a core."""


class Colours(NamedTuple):
    """What is done to the colours of tiles; the numbers that are drawn are integers below
    `rotkeras.data.color.UNIT`.

    Attributes:
        grayscale: share of the tiles that become grey.
        dropping: share of the tiles of which two colours are dropped.
        standardize: whether tiles get one mean and deviation.
    """

    grayscale: float
    dropping: float
    standardize: bool

    def of_arrays(
        self,
        tiles: NDArray[np.uint8],
        grey: NDArray[np.int32] | None,
        drops: NDArray[np.int32] | None,
    ) -> NDArray[np.uint8]:
        """The tiles with other colours, in NumPy.

        Args:
            tiles: uint8 (N, h, w, 3).
            grey: int32 (N,): whether each becomes grey; None for none.
            drops: int32 (N, 3): whether two colours are dropped, which one is left (0 … 2), and a
                seed of the noise; None for none.
        """
        if grey is None and drops is None and not self.standardize:
            return tiles
        made = np.empty_like(tiles)
        for begin in range(0, len(tiles), _CHUNK):
            some = slice(begin, begin + _CHUNK)
            made[some] = np.rint(
                self._change(
                    tiles[some].astype(np.float32),
                    None if grey is None else grey[some],
                    None if drops is None else drops[some],
                    np,
                )
            )
        return made

    def of_tensors(self, tiles: Tensor, grey: Tensor | None, drops: Tensor | None) -> Tensor:
        """The same by `keras.ops`; the tiles may be symbolic."""
        from keras import ops

        if grey is None and drops is None and not self.standardize:
            return tiles
        values = self._change(ops.cast(tiles, "float32"), grey, drops, ops)
        return ops.cast(ops.round(values), "uint8")

    def _change(self, values: Tensor, grey: Tensor | None, drops: Tensor | None, ops: Any) -> Any:
        if grey is not None:
            whether = (grey < round(self.grayscale * UNIT))[:, None, None, None]
            weights = ops.reshape(np.array(GREY, np.float32), (1, 1, 1, 3))
            values = ops.where(whether, ops.sum(values * weights, axis=-1, keepdims=True), values)
        if drops is not None:
            values = self._drop(values, drops, ops)
        if self.standardize:
            mean = ops.mean(values, axis=(1, 2, 3), keepdims=True)
            deviation = ops.std(values, axis=(1, 2, 3), keepdims=True)
            scale = DEVIATION / ops.maximum(deviation, _LEAST_DEVIATION)
            values = (values - mean) * scale + MEAN
        return ops.clip(values, 0.0, 255.0)

    def _drop(self, values: Tensor, drops: Tensor, ops: Any) -> Any:
        """Two colours of some tiles replaced by noise around the mean of the third."""
        height, width = values.shape[1:3]
        colours = np.arange(3, dtype=np.int32)[None]
        left = (drops[:, 1:2] == colours)[:, None, None, :]
        kept = ops.sum(ops.where(left, values, np.float32(0)), axis=-1, keepdims=True)
        mean = ops.mean(kept, axis=(1, 2), keepdims=True)
        deviation = ops.std(kept, axis=(1, 2), keepdims=True) * np.float32(_NOISE)
        noise = ops.reshape(normal(drops[:, 2], height * width * 3, ops), (-1, height, width, 3))
        whether = (drops[:, 0] < round(self.dropping * UNIT))[:, None, None, None]
        replaced = ops.where(left, values, mean + deviation * noise)
        return ops.where(whether, replaced, values)


def normal(seeds: Tensor, count: int, ops: Any) -> Tensor:
    """Numbers that are nearly normally distributed, mean 0 and deviation 1: float32 (N, count).

    Each is a sum of the four bytes of a hash of a seed and its place, computed in 32 bits that wrap
    around on every backend.

    Args:
        seeds: int32 (N,).
        count: numbers for each seed.
        ops: `numpy` or `keras.ops`.

    Reference:
        the hash is the `lowbias32` of Wellons, Prospecting for Hash Functions, 2018.
    """
    places = np.arange(count, dtype=np.uint32) * np.uint32(0x9E3779B1)
    bits = ops.bitwise_xor(seeds[:, None], places.view(np.int32)[None])
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B), (16, None)):
        # The shift of a negative number brings in ones, which a logical one would not.
        moved = ops.bitwise_and(ops.right_shift(bits, _int32(shift)), _int32(2 ** (32 - shift) - 1))
        bits = ops.bitwise_xor(bits, moved)
        if factor is not None:
            bits = bits * _int32(factor)
    total = np.float32(-4 * 127.5)
    for byte in range(4):
        each = ops.bitwise_and(ops.right_shift(bits, _int32(8 * byte)), _int32(255))
        total = total + (each.astype(np.float32) if ops is np else ops.cast(each, "float32"))
    return total * np.float32(1 / np.sqrt(4 * (256**2 - 1) / 12))


def _int32(number: int) -> NDArray[np.int32]:
    """An array of one number, whose arithmetic wraps around without a warning."""
    return np.array([number], np.uint32).view(np.int32)
