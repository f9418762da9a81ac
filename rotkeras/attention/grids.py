"""Maps laid over images, and grids of them as one picture."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from rotkeras.arguments.accepted import OneImage, OneMap, Positive, Strength, ViewBatch
from rotkeras.arguments.checked import checked

_GAP, _LINE = 4, 17
_INK, _PAPER = "#1c1c1e", "white"


@checked
def overlay(
    image: OneImage,
    attention: OneMap,
    side: Positive | None = None,
    strength: Strength = 0.6,
) -> NDArray[np.uint8]:
    """Lay a map over its image: dark where it is weak, bright where it is strong.

    Args:
        image: uint8 (H, W, 3).
        attention: float (h, w), any range; its least value becomes 0 and its largest 1. A constant
            map becomes 0.
        side: pixels of each side of the picture; None for the image's own.
        strength: share of the colours of the map, 0 … 1; the rest is the image in grey.

    Returns:
        uint8 (side, side, 3), or (H, W, 3).
    """
    height, width = (side, side) if side else image.shape[:2]
    grey = np.asarray(enlarge(image, width, height).convert("L"), np.float32)[..., None]
    weak, strong = float(attention.min()), float(attention.max())
    scaled = (attention - weak) / (strong - weak) if strong > weak else np.zeros_like(attention)
    # Bilinear about the centre of each place: it commutes with quarter turns.
    large = np.asarray(
        Image.fromarray(scaled.astype(np.float32)).resize(
            (width, height), Image.Resampling.BILINEAR
        )
    )
    coloured = _colours()[np.round(255 * np.clip(large, 0, 1)).astype(np.uint8)]
    return np.asarray(np.round((1 - strength) * grey + strength * coloured), np.uint8)


def enlarge(image: NDArray[np.uint8], width: int, height: int) -> Image.Image:
    """An image at another size: small ones without smoothing, so that their pixels stay pixels."""
    picture = Image.fromarray(np.ascontiguousarray(image))
    small = 2 * picture.width <= width
    return picture.resize(
        (width, height), Image.Resampling.NEAREST if small else Image.Resampling.LANCZOS
    )


@checked
def attention_grid(
    images: ViewBatch,
    maps: Mapping[str, NDArray[np.float32]],
    row_titles: Sequence[str] = (),
    titles: Sequence[str] = (),
    side: Positive = 96,
    columns: Positive | None = None,
) -> Image.Image:
    """Images and their maps as one picture.

    Each image has a block: its views are the rows, and the columns are the view itself and the
        maps, laid over it.

    Args:
        images: uint8 (N, V, H, W, 3), the V views of N images.
        maps: column title -> float (N, V, h, w).
        row_titles: one for each view, at the left of the first blocks.
        titles: one for each image, above its block.
        side: pixels of each tile.
        columns: blocks beside each other; None for the number that makes the picture about square.

    Returns:
        An RGB image of Pillow.
    """
    count, views = images.shape[:2]
    step = side + _GAP
    wide, high = (len(maps) + 1) * step, views * step
    if columns is None:
        columns = max(1, min(count, round(float(np.sqrt(count * high / wide)))))
    rows = -(-count // columns)
    font = _font(12)
    margin = max([0, *(int(font.getlength(title)) + 8 for title in row_titles)])
    between = 3 * _GAP
    head = _LINE * (2 if titles else 1)
    block_wide, block_high = wide + between, high + head + between
    picture = Image.new("RGB", (margin + columns * block_wide, rows * block_high), _PAPER)
    draw = ImageDraw.Draw(picture)
    for number in range(count):
        left, top = margin + number % columns * block_wide, number // columns * block_high
        if titles:
            draw.text((left, top + 1), _fit(titles[number], wide, font), _INK, font)
        for column, title in enumerate(["", *maps]):
            draw.text(
                (left + column * step, top + head - _LINE + 1), _fit(title, side, font), _INK, font
            )
        for view in range(views):
            upper = top + head + view * step
            if row_titles and number % columns == 0:
                draw.text(
                    (margin - 6 - font.getlength(row_titles[view]), upper + side / 2 - 8),
                    row_titles[view],
                    _INK,
                    font,
                )
            image = images[number, view]
            picture.paste(enlarge(image, side, side), (left, upper))
            for column, each in enumerate(maps.values(), start=1):
                tile = Image.fromarray(overlay(image, each[number, view], side))
                picture.paste(tile, (left + column * step, upper))
    return picture


@lru_cache
def _colours() -> NDArray[np.float32]:
    from matplotlib import colormaps

    table: NDArray[np.float32] = np.asarray(
        255 * colormaps["inferno"](np.arange(256))[:, :3], np.float32
    )
    return table


@lru_cache
def _font(size: int) -> Any:
    import matplotlib

    return ImageFont.truetype(
        Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf"), size
    )


def _fit(text: str, width: float, font: Any) -> str:
    """As much of the end of a text as fits: the end of a file name tells more than its
    beginning."""
    if font.getlength(text) <= width:
        return text
    while text and font.getlength("…" + text) > width:
        text = text[1:]
    return "…" + text
