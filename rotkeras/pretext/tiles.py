"""A grid of three by three cells of an image, and one tile from each cell."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rotkeras.data import draws
from rotkeras.data.color import UNIT
from rotkeras.data.keyed import Key
from rotkeras.data.resized_crop import WHOLE
from rotkeras.errors import must
from rotkeras.pretext.tile_colours import Colours

Tensor = Any

SIDE = 3
"""Cells along each side of the grid."""
COUNT = SIDE * SIDE
LEAST_TILE = 4
"""Pixels of a side of a tile: two poolings of stride 2 make them one. Images of 32 pixels have
cells of 10 and, with a gap of a quarter, tiles of 7."""

_PLACES, _GREY, _DROPS = 9_600, 9_630, 9_640
"""The first streams of randomness of each kind, far from those of augmentations."""
_PLACE_COLUMNS, _DROP_COLUMNS = 2 + 2 * COUNT, 3
_SEEDS = 2**31 - 1


class Axis(NamedTuple):
    """The grid along one side of an image, in pixels.

    Attributes:
        cell: of a cell.
        tile: of a tile.
        rest: of the image beside the grid, which lies in its middle, or anywhere.
        first: the first place of a tile in its cell.
        moved: by how many pixels it may be moved from there.
    """

    cell: int
    tile: int
    rest: int
    first: int
    moved: int

    def begin(self, place: int, grid: Any = None, tile: Any = None) -> Any:
        """Where a tile begins, in pixels from the edge of the image: a number, or int32 (B,).

        Args:
            place: of its cell, 0 … 2; a number, or int32 (B,).
            grid: where the grid lies, in 1/65,536: int32 (B,); None for the middle.
            tile: where the tile lies in its cell, as `grid`.
        """
        if grid is None:
            return self.rest // 2 + place * self.cell + self.first
        moved = grid * (self.rest + 1) // WHOLE + tile * (self.moved + 1) // WHOLE
        return moved + (place * self.cell + self.first)


def axis_of(side: int, gap: float, jitter: float) -> Axis:
    """The grid along a side of so many pixels.

    Args:
        side: of the image.
        gap: what is left of a cell beside its tile, as a share of the cell.
        jitter: share of it by which tiles are moved.
    """
    cell = side // SIDE
    tile = _floor((1 - gap) * cell)
    free = cell - tile
    moved = _floor(jitter * free)
    return Axis(cell, tile, side - SIDE * cell, (free - moved) // 2, moved)


@dataclass(frozen=True)
class Tiles:
    """Nine tiles of each image, from left to right and from top to bottom.

    Attributes:
        gap: what is left of a cell's side beside its tile, as a share of it.
        jitter: share of the gap by which tiles are moved at random; 0 for the middle of the cells.
        colours: what is done to their colours.
    """

    gap: float
    jitter: float
    colours: Colours

    def shape(self, image_shape: Sequence[int]) -> tuple[int, int, int]:
        """(h, w, 3) of the tiles of images (H, W, 3).

        Raises:
            UserError: for tiles of less than 4 pixels.
        """
        height, width = (axis_of(side, self.gap, self.jitter).tile for side in image_shape[:2])
        if min(height, width) < LEAST_TILE:
            raise must(
                "gap",
                f"leave tiles of at least {LEAST_TILE}×{LEAST_TILE} pixels",
                self.gap,
                f"of images of {image_shape[0]}×{image_shape[1]} pixels tiles are {height}×{width};"
                " use a smaller gap or larger images",
            )
        return height, width, 3

    @property
    def width(self) -> int:
        """Columns of `draw`."""
        return len(self._streams())

    def draw(self, key: Key) -> Any:
        """What is random, drawn on the host: int32 (B, `width`)."""
        return draws.draw(key, *self._streams())

    def of_images(self, images: Tensor, drawn: Tensor, chosen: Tensor | None = None) -> Tensor:
        """The tiles, inside `tf.data` or in NumPy.

        Args:
            images: uint8 (B, H, W, 3), a tensor or an array.
            drawn: int32 (B, `width`).
            chosen: int32 (B, T), numbers of the tiles that are wanted, 0 … 8; None for all nine.

        Returns:
            uint8 (B·T, h, w, 3), those of an image side by side.
        """
        if isinstance(images, np.ndarray):
            return self._of_arrays(images, drawn, chosen)
        import tensorflow as tf

        given = [images, drawn] if chosen is None else [images, drawn, chosen]
        made = tf.numpy_function(self._of_arrays, given, tf.uint8, stateful=False)
        count = COUNT if chosen is None else chosen.shape[1]
        batch = None if images.shape[0] is None else count * images.shape[0]
        return tf.ensure_shape(made, (batch, *self.shape(images.shape[1:])))

    def apply(self, images: Tensor, drawn: Tensor, chosen: Tensor | None = None) -> Tensor:
        """The same inside the step, by `keras.ops`, within one grey level; arguments as of
        `of_images`."""
        from keras import ops

        shape = self.shape(images.shape[1:])
        tiles = ops.stack(self._cut_inside(images, drawn, chosen), axis=1)
        grey, drops = self._of_colours(drawn)
        if drops is not None:
            drops = ops.reshape(drops, (-1, COUNT, _DROP_COLUMNS))
            if chosen is not None:
                drops = ops.take_along_axis(drops, chosen[:, :, None], axis=1)
        if grey is not None:
            grey = ops.reshape(ops.tile(grey[:, None], (1, tiles.shape[1])), (-1,))
        if drops is not None:
            drops = ops.reshape(drops, (-1, _DROP_COLUMNS))
        return self.colours.of_tensors(ops.reshape(tiles, (-1, *shape)), grey, drops)

    def cut(
        self,
        images: NDArray[np.uint8],
        drawn: NDArray[np.int32],
        chosen: NDArray[np.int32] | None = None,
    ) -> NDArray[np.uint8]:
        """The tiles of each image as they are, of any size: uint8 (B, H, W, 3) -> (B, T, h, w, 3).

        Args:
            images: uint8 (B, H, W, 3).
            drawn: int32 (B, D), D ≥ `width`, as `draw` made it.
            chosen: as for `of_images`.
        """
        rows, columns = (axis_of(side, self.gap, self.jitter) for side in images.shape[1:3])
        count = COUNT if chosen is None else chosen.shape[1]
        made = np.empty((len(images), count, rows.tile, columns.tile, 3), np.uint8)
        for place in range(count):
            number = place if chosen is None else chosen[:, place]
            tops, lefts = (
                np.broadcast_to(each, len(images)).tolist()
                for each in self._corner(number, rows, columns, drawn, np)
            )
            for image, (top, left) in enumerate(zip(tops, lefts, strict=True)):
                made[image, place] = images[
                    image, top : top + rows.tile, left : left + columns.tile
                ]
        return made

    def _of_arrays(
        self,
        images: NDArray[np.uint8],
        drawn: NDArray[np.int32],
        chosen: NDArray[np.int32] | None = None,
    ) -> NDArray[np.uint8]:
        shape = self.shape(images.shape[1:])
        tiles = self.cut(images, drawn, chosen)
        grey, drops = self._of_colours(drawn)
        if drops is not None:
            drops = drops.reshape(-1, COUNT, _DROP_COLUMNS)
            if chosen is not None:
                drops = drops[np.arange(len(images))[:, None], chosen]
        return self.colours.of_arrays(
            tiles.reshape(-1, *shape),
            None if grey is None else np.repeat(grey, tiles.shape[1]),
            None if drops is None else drops.reshape(-1, _DROP_COLUMNS),
        )

    def _cut_inside(self, images: Tensor, drawn: Tensor, chosen: Tensor | None) -> list[Tensor]:
        """The tiles (B, h, w, 3) of each image, by `keras.ops`."""
        from keras import ops

        rows, columns = (axis_of(side, self.gap, self.jitter) for side in images.shape[1:3])
        made = []
        for place in range(COUNT if chosen is None else chosen.shape[1]):
            number = place if chosen is None else chosen[:, place]
            top, left = self._corner(number, rows, columns, drawn, ops)
            if chosen is None and not self.jitter:
                made.append(images[:, top : top + rows.tile, left : left + columns.tile])
                continue
            part = images
            if chosen is None:  # of what the tile may be cut from alone
                begins = [
                    at * axis.cell
                    for at, axis in zip(divmod(place, SIDE), (rows, columns), strict=True)
                ]
                part = images[
                    :,
                    begins[0] : begins[0] + rows.cell + rows.rest,
                    begins[1] : begins[1] + columns.cell + columns.rest,
                ]
                top, left = top - begins[0], left - begins[1]
            # Rows and then columns, image by image: over the whole batch at once, devices would
            # send each other all pixels.
            down = top[:, None] + ops.arange(rows.tile, dtype="int32")[None]
            along = left[:, None] + ops.arange(columns.tile, dtype="int32")[None]
            part = ops.take_along_axis(part, down[:, :, None, None], axis=1)
            made.append(ops.take_along_axis(part, along[:, None, :, None], axis=2))
        return made

    def _corner(
        self, number: Any, rows: Axis, columns: Axis, drawn: Any, library: Any
    ) -> tuple[Any, Any]:
        """(top, left) of a tile in pixels, of one number or int32 (B,)."""
        row, column = number // SIDE, number % SIDE
        if not self.jitter:
            return rows.begin(row), columns.begin(column)

        def moved(offset: int) -> Any:
            at = 2 + 2 * number + offset
            if isinstance(number, int):
                return drawn[:, at]
            return library.take_along_axis(drawn, at[:, None], axis=1)[:, 0]

        return (
            rows.begin(row, drawn[:, 0], moved(0)),
            columns.begin(column, drawn[:, 1], moved(1)),
        )

    def _streams(self) -> list[tuple[int, int]]:
        """(stream, maximum) of each column: places, whether an image is grey, dropped colours."""
        made = []
        if self.jitter:
            made += [(_PLACES + number, WHOLE) for number in range(_PLACE_COLUMNS)]
        if self.colours.grayscale:
            made.append((_GREY, UNIT))
        if self.colours.dropping:
            maxima = (UNIT, 3, _SEEDS) * COUNT
            made += [(_DROPS + number, maximum) for number, maximum in enumerate(maxima)]
        return made

    def _of_colours(self, drawn: Any) -> tuple[Any, Any]:
        """The columns (whether grey (B,), dropped colours (B, 27)); None for what is not drawn."""
        at = _PLACE_COLUMNS if self.jitter else 0
        grey = drawn[:, at] if self.colours.grayscale else None
        at += 1 if self.colours.grayscale else 0
        dropped = drawn[:, at : at + _DROP_COLUMNS * COUNT] if self.colours.dropping else None
        return grey, dropped


def _floor(number: float) -> int:
    """The whole number below a product: (1 − 0.9) · 10 is 1, and not 0.9999999999999998."""
    return math.floor(round(number, 6))
