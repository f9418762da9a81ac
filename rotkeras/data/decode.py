"""Image files to square uint8 RGB arrays, in parallel, upright, and without ever failing half way.

Resizing commutes with quarter turns to one grey level. A resize that favours one corner would leave every image a mark of which way
is up, and the rotation task would be solved by that mark. Two quicker ways were measured and left out for it: JPEG's reduced decode
pads to the right and below (25 grey levels at a side of 257), and bicubic clips between its two passes (27 levels on noise).
"""

import math
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from rotkeras.data.source import BadImage
from rotkeras.errors import UserError

Progress = Callable[[int, int], None]
"""Called with (images read, images in all) while a source is read."""


def fit_square(image: Image.Image, size: int) -> NDArray[np.uint8]:
    """Cut the centred square of an RGB image and resize it (bilinear, anti-aliased) to uint8 (size, size, 3)."""
    width, height = image.size
    side = min(width, height)
    if width != height:
        # Cut before the resize, which would else mix in pixels from beyond the cut. A difference that is odd leaves half a pixel.
        left, top = (width - side) / 2, (height - side) / 2
        outer = math.floor(left), math.floor(top), math.ceil(left + side), math.ceil(top + side)
        image = image.crop(outer)
        left, top = left - outer[0], top - outer[1]
    else:
        left, top = 0.0, 0.0
    if image.size == (size, size):
        return np.asarray(image)
    return np.asarray(image.resize((size, size), Image.Resampling.BILINEAR, box=(left, top, left + side, top + side)))


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
    with Image.open(path) as image:
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
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # damaged EXIF blocks warn once a file; the pixels are what counts
        for position, (item, result) in enumerate(zip(items, ordered_map(read, items), strict=True)):
            if isinstance(result, Exception):
                reason = " ".join(str(result).split()) or type(result).__name__
                if isinstance(result, UnidentifiedImageError):
                    reason = "its content is no image"
                bad.append(BadImage(str(item), reason))
                check_bad(bad, on_bad_image)
            else:
                out[len(kept)] = result
                kept.append(position)
            if progress and (position % 64 == 63 or position + 1 == len(items)):
                progress(position + 1, len(items))
    return kept, bad


def check_bad(bad: list[BadImage], on_bad_image: str) -> None:
    """Raise a `UserError` for the first bad image when `on_bad_image` is "error"."""
    if bad and on_bad_image == "error":
        raise UserError(
            f"{bad[0].path} could not be read as an image ({bad[0].reason}): repair or remove it, or set on_bad_image to skip."
        )


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
