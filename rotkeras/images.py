"""An image file, or a Pillow image, to a square uint8 RGB array, upright; with NumPy and Pillow
alone.

Resizing commutes with quarter turns to one grey level. A resize that favours one corner would leave
every image a mark of which way is up, and the rotation task would be solved by that mark. Two
quicker ways were measured and left out for it: JPEG's reduced decode pads to the right and below
(25 grey levels at a side of 257), and bicubic clips between its two passes (27 levels on noise).
"""

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps


def fit_square(image: Image.Image, size: int) -> NDArray[np.uint8]:
    """Cut the centred square of an RGB image and resize it (bilinear, anti-aliased) to uint8 (size,
    size, 3)."""
    width, height = image.size
    side = min(width, height)
    if width != height:
        # Cut before the resize, which would else mix in pixels from beyond the cut. A difference
        # that is odd leaves half a pixel.
        left, top = (width - side) / 2, (height - side) / 2
        outer = math.floor(left), math.floor(top), math.ceil(left + side), math.ceil(top + side)
        image = image.crop(outer)
        left, top = left - outer[0], top - outer[1]
    else:
        left, top = 0.0, 0.0
    if image.size == (size, size):
        return np.asarray(image)
    return np.asarray(
        image.resize(
            (size, size), Image.Resampling.BILINEAR, box=(left, top, left + side, top + side)
        )
    )


def to_rgb(image: Image.Image) -> Image.Image:
    """Any Pillow mode as RGB: greyscale, palette, RGBA (alpha is dropped), CMYK, and 16-bit grey
    scaled to 8 bits."""
    if image.mode.startswith("I;16") or image.mode == "I":
        # Pillow clips these to 255 on conversion, which turns a 16-bit scan white.
        grey = np.asarray(image, np.float64) / 257.0
        image = Image.fromarray(np.clip(np.rint(grey), 0, 255).astype(np.uint8))
    return image if image.mode == "RGB" else image.convert("RGB")


def upright(image: Image.Image) -> Image.Image:
    """The image as its EXIF orientation says; itself, and not the copy that Pillow would make, when
    it lies as it should."""
    # Some writers store the tag as text or bytes, for which Pillow decides.
    return (
        image
        if image.getexif().get(ExifTags.Base.Orientation, 1) == 1
        else ImageOps.exif_transpose(image)
    )


def read_image(path: str | Path, size: int) -> NDArray[np.uint8]:
    """Read the first frame of an image file: EXIF orientation applied, RGB, centred square,
    resized.

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
        return fit_square(to_rgb(upright(image)), size)
