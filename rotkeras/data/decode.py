"""Image files to square uint8 RGB arrays, in parallel, upright, and without ever failing half way.

Resizing is done by Pillow with a centred box: it commutes with quarter turns to one grey level. A resize that favours
one corner would leave every image a mark of which way is up, and the rotation task would be solved by that mark.
"""

import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from rotkeras.data.source import BadImage
from rotkeras.errors import UserError

Progress = Callable[[int, int], None]
"""Called with (images read, images in all) while a source is read."""


def fit_square(image: Image.Image, size: int) -> NDArray[np.uint8]:
    """Cut the centred square of an RGB image and resize it (bicubic, anti-aliased) to uint8 (size, size, 3)."""
    width, height = image.size
    side = min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    if (width, height) == (size, size):
        return np.asarray(image)
    box = (left, top, left + side, top + side)
    return np.asarray(image.resize((size, size), Image.Resampling.BICUBIC, box=box))


def to_rgb(image: Image.Image) -> Image.Image:
    """Any Pillow mode as RGB: greyscale, palette, RGBA (alpha is dropped), CMYK, and 16-bit grey scaled to 8 bits."""
    if image.mode.startswith("I;16") or image.mode == "I":
        # Pillow clips these to 255 on conversion, which turns a 16-bit scan white.
        grey = np.asarray(image, np.float64) / 257.0
        image = Image.fromarray(np.clip(np.rint(grey), 0, 255).astype(np.uint8))
    return image.convert("RGB")


def read_image(path: str | Path, size: int) -> NDArray[np.uint8]:
    """Read the first frame of an image file: EXIF orientation applied, RGB, centred square, resized.

    Args:
        path: a jpeg, png, bmp, gif or webp file.
        size: pixels of each side of the result.

    Returns:
        uint8 (size, size, 3).

    Raises:
        Exception: whatever Pillow raises for a file that is not a whole image.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # damaged EXIF blocks warn once a file; the pixels are what counts
        with Image.open(path) as image:
            # A JPEG decodes at 1/2, 1/4 or 1/8 of its size for a fraction of the time; twice the target keeps it sharp.
            image.draft("RGB" if image.mode == "RGB" else None, (2 * size, 2 * size))
            image.load()
            return fit_square(to_rgb(ImageOps.exif_transpose(image)), size)


def read_all(
    items: Sequence[Any],
    read: Callable[[Any], NDArray[np.uint8]],
    out: NDArray[np.uint8],
    on_bad_image: str = "skip",
    progress: Progress | None = None,
) -> tuple[list[int], list[BadImage]]:
    """Read every item in parallel into consecutive rows of `out`, leaving no gap for those that cannot be read.

    Args:
        items: what `read` takes; `str(item)` names it.
        read: item -> uint8 (H, W, 3).
        out: uint8 (at least len(items), H, W, 3), filled from row 0.
        on_bad_image: "skip" or "error".
        progress: called now and then with (done, all).

    Returns:
        (positions of the items that were read, in order; those that were not, with the reason).

    Raises:
        UserError: at the first bad image when `on_bad_image` is "error".
    """
    kept: list[int] = []
    bad: list[BadImage] = []
    for position, (item, result) in enumerate(zip(items, ordered_map(read, items), strict=True)):
        if isinstance(result, Exception):
            reason = " ".join(str(result).split()) or type(result).__name__
            reason = reason.replace(repr(str(item)), "the file")
            if on_bad_image == "error":
                raise UserError(
                    f"{item} could not be read as an image ({reason}): repair or remove it, or set on_bad_image to skip."
                )
            bad.append(BadImage(str(item), reason))
        else:
            out[len(kept)] = result
            kept.append(position)
        if progress and (position % 64 == 63 or position + 1 == len(items)):
            progress(position + 1, len(items))
    return kept, bad


def ordered_map(function: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
    """Map in threads, in order, with a bounded number under way; an exception is yielded, not raised."""

    def attempt(item: Any) -> Any:
        try:
            return function(item)
        except Exception as error:
            return error

    workers = os.cpu_count() or 1
    remaining = iter(items)
    with ThreadPoolExecutor(workers) as pool:
        while chunk := list(islice(remaining, 64 * workers)):
            yield from pool.map(attempt, chunk)
