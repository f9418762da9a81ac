"""The views that a pretext task makes of two photographs in three epochs, as one picture.

    python benchmarks/draw_views.py byol imagenette-128/val -o byol_views.png
    python benchmarks/draw_views.py byol imagenette-128/val -o byol_views.png --set solarize=0.2

The left column is the image. Each group beside it holds the views of one epoch, with a caption.
Views of other sizes than the image are drawn in their own number of pixels; the nine tiles of an
image are drawn together, in the order that the network sees.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from PIL import Image, ImageDraw, ImageFont

from rotkeras import data, pretext
from rotkeras.data.keyed import Key
from rotkeras.pretext import tile_pictures

_GAP, _LINE, _COLOURS = 6, 18, 128
_EPOCHS = 3


def main() -> None:
    """Draw the picture that the arguments describe."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("task", choices=sorted(pretext.NAMES))
    parser.add_argument("images", help="a folder of photographs")
    parser.add_argument("-o", "--output", type=Path, required=True, help="a .png file")
    parser.add_argument("--size", type=int, default=96, help="pixels of a side of an image")
    parser.add_argument("--seed", type=int, default=0, help="of the photographs and of the views")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of the task"
    )
    chosen = parser.parse_args()
    settings = {name: yaml.safe_load(value) for name, value in (s.split("=") for s in chosen.set)}
    task = pretext.NAMES[chosen.task](**settings)
    source = data.load(chosen.images, image_size=chosen.size, validation_fraction=0.0)
    part = source.train.draw(2, chosen.seed)
    groups = [of_epoch(task, part, epoch, chosen.seed) for epoch in range(_EPOCHS)]
    picture = drawn(part.take(slice(None)), groups)
    # Photographs of 128 colours take a third of the bytes.
    picture.quantize(_COLOURS).save(chosen.output, optimize=True)


def of_epoch(task: Any, part: Any, epoch: int, seed: int) -> list[list[tuple[str, Any]]]:
    """[(name, view), …] of each image: the name is that of the input of the model, or ""."""
    pixels = part.take(slice(None))
    key = Key(np.int64(seed), np.int64(epoch), part.rows, np.arange(len(part)))
    x, _ = task.views(pixels, key)
    if not getattr(task, "whole_views", True):
        return boards(x, pixels)
    found: list[list[tuple[str, Any]]] = [[] for _ in range(len(part))]
    for name, views in x.items() if isinstance(x, dict) else [("", x)]:
        views = np.asarray(views)
        if views.ndim == 4:
            for image, mine in enumerate(np.split(views, len(part))):
                found[image] += [(name, view) for view in mine]
    return found


def boards(x: Any, images: Any) -> list[list[tuple[str, Any]]]:
    """The nine tiles of each image as one view, in the first of its orders where it has some."""
    tiles = np.asarray(x["tiles"] if isinstance(x, dict) else x)
    tiles = tiles.reshape(len(images), -1, *tiles.shape[1:])
    if isinstance(x, dict):
        tiles = tiles[np.arange(len(images))[:, None], np.asarray(x["orders"])[:, 0]]
    return [[("", tile_pictures.board(each, images.shape[1:], 1))] for each in tiles]


def drawn(images: Any, groups: list[list[list[tuple[str, Any]]]]) -> Image.Image:
    """The picture: a row for each image, and captions in the last line."""
    side = max(images.shape[1], *(view.shape[0] for _, view in groups[0][0]))
    widths = [images.shape[2], *(_width(group[0]) for group in groups)]
    width = sum(widths) + 3 * _GAP * (len(widths) - 1)
    height = len(images) * (side + _GAP) + _LINE
    canvas = Image.new("RGB", (width, height), "white")
    write, font = ImageDraw.Draw(canvas), ImageFont.load_default(13)
    for row, image in enumerate(images):
        canvas.paste(Image.fromarray(image), (0, row * (side + _GAP)))
        left = widths[0] + 3 * _GAP
        for group, wide in zip(groups, widths[1:], strict=True):
            place = left
            for _, view in group[row]:
                canvas.paste(Image.fromarray(view), (place, row * (side + _GAP)))
                place += view.shape[1] + _GAP
            left += wide + 3 * _GAP
    left = 0
    for caption, wide in zip(
        ["image", *map(_caption, range(len(groups)), groups)], widths, strict=True
    ):
        write.text((left, height - _LINE + 2), caption, fill="black", font=font)
        left += wide + 3 * _GAP
    return canvas


def _width(views: list[tuple[str, Any]]) -> int:
    return sum(view.shape[1] for _, view in views) + _GAP * (len(views) - 1)


def _caption(epoch: int, group: list[list[tuple[str, Any]]]) -> str:
    names = [name for name, _ in group[0] if name]
    different = list(dict.fromkeys(names))
    return f"epoch {epoch + 1}" + (f": {', '.join(different)}" if different else "")


if __name__ == "__main__":
    main()
