"""An image file, or a Pillow image, to a uint8 RGB array of one size, upright; with NumPy and
Pillow alone.

Resizing commutes with quarter turns to one grey level. A resize that favours one corner would leave
every image a mark of which way is up, and the rotation task would be solved by that mark. Two
faster ways were measured and left out for it: JPEG's reduced decode pads to the right and below (25
grey levels at a side of 257), and bicubic clips between its two passes (27 levels on noise).
"""

import math
import re
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

from rotkeras.errors import UserError
from rotkeras.files import what_else
from rotkeras.images.formats import formats
from rotkeras.images.resize import resize_box
from rotkeras.images.size import Size, sides_of

_TRANSPOSE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What shows stored pixels as each EXIF orientation says."""
_XMP = re.compile(rb"""tiff:Orientation\s*(?:=\s*["']|>)\s*([0-9])""")


def fit(image: Image.Image, size: Size) -> NDArray[np.uint8]:
    """Cut the largest centred rectangle of an RGB image that has the ratio of `size`, and resize it
    (bilinear, anti-aliased) to uint8 (H, W, 3).

    Args:
        image: RGB.
        size: the side of a square, or (H, W).
    """
    rows, columns = sides_of(size)
    width, height = image.size
    # Whole numbers where they are: a square is cut as it always was.
    wide = min(width, height * columns / rows)
    tall = min(height, width * rows / columns)
    if (wide, tall) != (width, height):
        # Cut before the resize, which would else mix in pixels from beyond the cut. A difference
        # that is odd leaves half a pixel.
        left, top = (width - wide) / 2, (height - tall) / 2
        outer = math.floor(left), math.floor(top), math.ceil(left + wide), math.ceil(top + tall)
        image = image.crop(outer)
        left, top = left - outer[0], top - outer[1]
    else:
        left, top = 0.0, 0.0
    if image.size == (columns, rows):
        return np.asarray(image)
    box = (left, top, min(left + wide, image.width), min(top + tall, image.height))
    return np.asarray(image.resize((columns, rows), Image.Resampling.BILINEAR, box=box))


def to_rgb(image: Image.Image) -> Image.Image:
    """Any Pillow image as RGB.

    - 1, L, P, RGB, RGBX, YCbCr, HSV, LAB: Pillow's conversion.
    - LA, PA, RGBA, La, RGBa, P with transparency: the same; transparency is dropped.
    - CMYK: Pillow's conversion, without a colour profile.
    - I;16 (16-bit grey): divided by 257, so that 65535 becomes 255.
    - I (32-bit integers): values 0…255 as they are, 0…65535 divided by 257; others are refused.
    - F (floats): values 0…1 times 255, 0…255 as they are, 0…65535 divided by 257; others, NaN and
      infinity are refused.

    Results are rounded to the nearest integer. For I and F the largest value of the image decides.

    Raises:
        UserError: for 32-bit values that are refused, with their range.
    """
    if image.mode.startswith("I;16"):
        # Pillow clips these to 255 on conversion, which turns a 16-bit scan white.
        grey = np.asarray(image, np.float64) / 257.0
        return Image.fromarray(np.rint(grey).astype(np.uint8)).convert("RGB")
    if image.mode in ("I", "F"):
        return Image.fromarray(_to_8_bits(np.asarray(image))).convert("RGB")
    if image.mode in ("La", "RGBa"):  # premultiplied: Pillow converts these in two steps
        image = image.convert("LA" if image.mode == "La" else "RGBA")
    return image if image.mode == "RGB" else image.convert("RGB")


def _to_8_bits(grey: NDArray[Any]) -> NDArray[np.uint8]:
    """32-bit integers or floats (H, W) to uint8 by the rules of `to_rgb`."""
    low, high = float(grey.min()), float(grey.max())
    whole = grey.dtype.kind == "i"
    if not (math.isfinite(low) and math.isfinite(high)) or low < 0 or high > 65535:
        kind = "32-bit integers" if whole else "floats"
        accepted = "0…255 or 0…65535" if whole else "0…1, 0…255 or 0…65535"
        raise UserError(
            f"its pixels are {kind} from {low:g} to {high:g}; convert them to the range {accepted}"
        )
    scale = 255.0 if not whole and high <= 1 else 1.0 if high <= 255 else 1 / 257.0
    return np.rint(grey.astype(np.float64) * scale).astype(np.uint8)


def orientation(image: Image.Image) -> int:
    """The orientation, 1 … 8, by which an open image is shown: of EXIF or else of XMP; 1 where
    there is none or an unknown one.

    The tag is read on its own, since a damaged tag beside it says nothing about the picture. Pillow
    turns TIFF files upright itself when they are loaded: then it is 1.
    """
    if image.format == "TIFF":
        found = getattr(image, "tag_v2", {}).get(ExifTags.Base.Orientation)
        found = found[0] if isinstance(found, tuple) and found else found
    else:
        found = orientation_in(_exif_block(image.info))
    if found is None and (match := _XMP.search(_xmp(image.info))):
        found = int(match[1])
    return found if found in _TRANSPOSE else 1


def orientation_in(block: bytes) -> int | None:
    """The orientation in an EXIF block, None where there is none that is a number.

    Args:
        block: a TIFF structure from its byte order mark on, whole or damaged; "Exif\\0\\0" may
            stand before it.
    """
    block = block.removeprefix(b"Exif\0\0")
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    if order is None or len(block) < 10:
        return None
    (start,) = struct.unpack_from(order + "L", block, 4)
    if start + 2 > len(block):
        return None
    (count,) = struct.unpack_from(order + "H", block, start)
    found = None
    for place in range(start + 2, min(start + 2 + 12 * count, len(block) - 11), 12):
        tag, kind, values = struct.unpack_from(order + "HHL", block, place)
        # SHORT, which the standard asks for, and LONG: viewers take no other type.
        if tag == ExifTags.Base.Orientation and values and kind in (3, 4):
            (found,) = struct.unpack_from(order + ("H" if kind == 3 else "L"), block, place + 8)
    return found


def _exif_block(info: dict[Any, Any]) -> bytes:
    block = info.get("exif") or b""
    if not block and isinstance(text := info.get("Raw profile type exif"), str):
        try:  # of PNG: a name, the length, and hexadecimal digits
            block = bytes.fromhex("".join(text.split("\n")[3:]))
        except ValueError:
            block = b""
    return block if isinstance(block, bytes) else b""


def _xmp(info: dict[Any, Any]) -> bytes:
    packet = info.get("XML:com.adobe.xmp") or info.get("xmp") or b""
    return packet.encode("utf-8", "replace") if isinstance(packet, str) else bytes(packet)


def upright(image: Image.Image) -> Image.Image:
    """A loaded image as its orientation says; the image itself if it lies as it should."""
    return transposed(image, orientation(image))


def transposed(image: Image.Image, way: int) -> Image.Image:
    """Stored pixels as an EXIF orientation, 1 … 8, shows them."""
    return image if way == 1 else image.transpose(_TRANSPOSE[way])


def open_image(source: Any) -> Image.Image:
    """Open an image of any format that Pillow reads as pixels; HEIC too where pillow-heif is
    installed.

    Args:
        source: a path or a binary file. A path is opened only if it is a regular file: a named pipe
            would wait for ever.

    Raises:
        OSError: for a path that is not a regular file, and for content that is no image.
    """
    if isinstance(source, str | Path) and (what := what_else(source)):
        raise OSError(f"it is {what}, not a file")
    return Image.open(source, formats=formats())


def load_pixels(image: Image.Image) -> Image.Image:
    """The pixels of an open image, as stored; of a TIFF file, upright.

    Pillow turns a TIFF upright while it loads, and fails for one whose EXIF is damaged elsewhere;
    then the pixels are turned here.
    """
    if image.format != "TIFF":
        image.load()
        return image
    way = orientation(image)
    try:
        image.load()
        return image
    except Exception:
        image.load_end = lambda: None  # type: ignore[attr-defined]
        image.load()
        return transposed(Image.Image()._new(image.im), way)


def read_image(path: Any, size: Size) -> NDArray[np.uint8]:
    """Read the first frame of an image file: EXIF orientation applied, RGB, its centre cut to the
    ratio of `size`, resized.

    Args:
        path: of a file of any format that Pillow reads as pixels, whatever its name; or an open
            binary file.
        size: pixels of each side of a square, or (H, W).

    Returns:
        uint8 (H, W, 3).

    Raises:
        Exception: whatever Pillow raises for a file that is not a whole image.
    """
    with open_image(path) as image:
        return fit(to_rgb(upright(load_pixels(image))), size)


def read_size(path: Any) -> tuple[int, int, int]:
    """Height and width of an image file (a path, or an open binary file) as it is shown, and the
    orientation, 1 … 8, of its stored pixels, from its header alone. Pillow turns TIFF files itself:
    theirs is 1.

    Raises:
        Exception: whatever Pillow raises for a file that is not an image.
    """
    with open_image(path) as image:
        width, height = image.size
        way = _way(image)
    return (width, height, way) if way >= _SIDEWAYS else (height, width, way)


def read_crop(
    path: Any,
    box: tuple[float, float, float, float],
    size: tuple[int, int],
    shape: tuple[int, int, int],
    flip: bool = False,
) -> NDArray[np.uint8]:
    """A box of an image file, resized (bilinear, anti-aliased), decoding no more than is needed.

    A JPEG is decoded at 1/2, 1/4 or 1/8 of its side where the box is still twice as large as the
    result then, so that the filter of the resize decides how it looks: libjpeg averages whole
    blocks, which takes a quarter of the time at 1/4. Blocks at the right and lower
    edge that are not whole are left out, for their padding would tell which way is up.

    Args:
        path: of any format that Pillow reads, or an open binary file.
        box: (top, left, height, width) in pixels of the upright image; fractions are allowed.
        size: (H, W) of the result.
        shape: what `read_size` gave.
        flip: exchange left and right of the result.

    Returns:
        uint8 (H, W, 3), upright.

    Raises:
        OSError: for a file that has another size or orientation than `shape` says.
        Exception: whatever Pillow raises for a file that is not a whole image.
    """
    height, width, way = shape
    with open_image(path) as image:
        stored = (width, height) if way < _SIDEWAYS else (height, width)
        if image.size != stored or _way(image) != way:
            raise OSError("it has changed since its header was read")
        left, top, right, bottom = _stored_box(box, (height, width), way)
        wide, tall = (size[1], size[0]) if way < _SIDEWAYS else size
        scale = 1
        if image.format in _SCALABLE:
            # draft chooses the largest reduction that is at least as large as what it is asked for.
            room = min((right - left) / wide, (bottom - top) / tall)
            wanted = next((each for each in (8, 4, 2) if _GAP * each <= room), 1)
            if wanted > 1:
                image.draft(None, (stored[0] // wanted, stored[1] // wanted))
                scale = round(stored[0] / image.size[0])
        pixels = to_rgb(load_pixels(image))
        limits = stored[0] // scale, stored[1] // scale
        edges = (
            min(left / scale, limits[0] - 1),
            min(top / scale, limits[1] - 1),
            min(right / scale, limits[0]),
            min(bottom / scale, limits[1]),
        )
        x, y = math.floor(edges[0]), math.floor(edges[1])
        # Cut before the resize, which would else mix in pixels from beyond the box.
        cut = pixels.crop((x, y, math.ceil(edges[2]), math.ceil(edges[3])))
        inner = edges[0] - x, edges[1] - y, edges[2] - x, edges[3] - y
        resized = resize_box(cut, (wide, tall), inner)
        made = transposed(resized, way)
        return np.asarray(made.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if flip else made)


def _way(image: Image.Image) -> int:
    """The orientation of what `load_pixels` gives; the size of an open TIFF is that of its upright
    image."""
    return 1 if image.format == "TIFF" else orientation(image)


_SIDEWAYS = 5
"""EXIF orientations from here on exchange height and width."""

_SCALABLE = ("JPEG", "MPO")
_GAP = 2


def _stored_box(
    box: tuple[float, float, float, float], shape: tuple[int, int], way: int
) -> tuple[float, float, float, float]:
    """(left, top, right, bottom) in stored pixels of a box (top, left, height, width) of the
    upright image (H, W)."""
    top, left, tall, wide = box
    height, width = shape
    right, bottom = left + wide, top + tall
    across = (left, right), (width - right, width - left)
    down = (top, bottom), (height - bottom, height - top)
    # How stored columns and rows lie in the upright image: Pillow's transposes, undone.
    columns, rows = {
        1: (across[0], down[0]),
        2: (across[1], down[0]),
        3: (across[1], down[1]),
        4: (across[0], down[1]),
        5: (down[0], across[0]),
        6: (down[0], across[1]),
        7: (down[1], across[1]),
        8: (down[1], across[0]),
    }[way]
    return columns[0], rows[0], columns[1], rows[1]
