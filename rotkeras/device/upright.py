"""Upright copies of image files: by the orientation tag, so that no pixel is touched, or by turning
the pixels."""

import io
import os
import shutil
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, JpegImagePlugin

from rotkeras.device.chunks import png_parts, png_with_picture, webp_with_picture
from rotkeras.device.exif import has_more_pages, turned, with_orientation
from rotkeras.device.jpeg import jpeg_with_orientation, jpeg_with_picture
from rotkeras.errors import UserError, brief
from rotkeras.files import check_writable, what_else, write_whole
from rotkeras.images import load_pixels, open_image, orientation, transposed

_TURNS = {
    1: Image.Transpose.ROTATE_90,
    2: Image.Transpose.ROTATE_180,
    3: Image.Transpose.ROTATE_270,
}


def write_upright(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    angle: int,
    *,
    pixels: bool = False,
    overwrite: bool = False,
) -> str:
    """Write a copy of an image file that is shown upright; whole or not at all, with the original's
    modification time.

    | file | the copy |
    |---|---|
    | JPEG, TIFF | the orientation tag changes, the coded picture stays byte for byte ("tag") |
    | PNG, BMP, GIF, WebP | the pixels are turned, exactly, and the orientation becomes 1 ("pixels")
    | | JPEG with `pixels` | the pixels are turned and coded again with the file's own tables: not
    lossless ("re-encoded") |

    A lossy WebP is stored without loss, in more bytes: browsers do not look at a WebP's tag, and
    coding it again would lose.

    Args:
        source: an image file, which is only read.
        target: where the copy goes; its folders are made.
        angle: degrees counter-clockwise, a multiple of 90, by which the image appears turned.
        pixels: turn pixels rather than set a tag, for programs that do not look at it; then the
            orientation that the file has already goes into the pixels too.
        overwrite: replace a file that is there.

    Returns:
        "tag", "pixels", "re-encoded", or "unchanged" for a copy with the original's bytes.

    Raises:
        UserError: for a file that cannot be put upright without harm, with the reason; nothing is
            written then.
    """
    source, target = Path(source), Path(target)
    if angle % 90:
        raise UserError(f"Expected a multiple of 90 degrees, received {angle}; give one.")
    if target.exists():
        if source.samefile(target):
            raise UserError(
                f"{str(target)!r} is the original, which is never written to: give another folder."
            )
        if not overwrite:
            raise UserError(
                f"{str(target)!r} exists already: add --overwrite to replace it, or give another"
                " folder."
            )
    try:
        if what := what_else(source):
            raise UserError(f"it is {what}, not a file.")
        data = source.read_bytes()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Pillow, on damaged EXIF, which is answered below
            how, content = upright(data, angle, pixels=pixels)
    except UserError as error:
        raise UserError(f"{source.name}: {error}") from None
    except Exception as error:  # whatever Pillow raises for a file that is not a whole image
        raise UserError(f"{source.name} could not be read as an image ({brief(error)}).") from error

    def write(working: Path) -> None:
        working.write_bytes(content)
        shutil.copystat(source, working)

    try:
        write_whole(target, write)
    except OSError as error:
        raise UserError(
            f"{str(target)!r} could not be written ({brief(error)}): make room, or give another"
            " folder."
        ) from error
    return how


def upright(data: bytes, angle: int, *, pixels: bool = False) -> tuple[str, bytes]:
    """The content of `write_upright`'s copy from that of the original: (how it was made, bytes)."""
    turns = -angle // 90 % 4
    if turns == 0 and not pixels:
        return "unchanged", data
    with open_image(io.BytesIO(data)) as image:
        after = turned(orientation(image), turns)
        if turns == 0 and after == 1:
            return "unchanged", data
        form = (
            "JPEG" if image.format == "MPO" else image.format
        )  # a JPEG with more pictures behind the first
        if form != "JPEG" and getattr(image, "n_frames", 1) > 1:
            frames = image.n_frames  # type: ignore[attr-defined]
            raise UserError(f"it has {frames} frames or pages; left as it is.")
        if (
            form == "JPEG" and pixels and after != 1
        ):  # pixels that already lie upright need a tag alone
            return "re-encoded", _checked_tag(
                jpeg_with_picture(data, _turned_jpeg(image, turns, after)), 1
            )
        if form == "TIFF" and pixels and after != 1:
            raise UserError(
                "the pixels of TIFF files are not turned; leave --pixels out to set its tag."
            )
        if form in ("JPEG", "TIFF"):
            changed = jpeg_with_orientation(data, after) if form == "JPEG" else _tiff(data, after)
            return "tag", _checked_tag(changed, after)
        return "pixels", _checked_pixels(
            _exact(image, data, str(form), turns, swapped=after > 4), image, turns
        )


def check_folder(folder: Path, originals: Path, overwrite: bool = False) -> None:
    """Check, before any work, that copies of images may be written to a folder.

    Args:
        folder: where copies are to go.
        originals: the folder of the images, or an image.
        overwrite: whether the folder may hold files already.

    Raises:
        UserError: when copies could replace originals or be taken for originals the next time, or
            the folder holds files.
    """
    check_writable(folder, "--fix", folder=True)
    home = originals if originals.is_dir() else originals.parent
    where, there = folder.resolve(), home.resolve()
    if where == there or where in there.parents or (originals.is_dir() and there in where.parents):
        place = (
            "is that of the images"
            if where == there
            else f"lies {'above' if where in there.parents else 'in'} that of the images"
        )
        raise UserError(
            f"The folder {str(folder)!r} {place}. Give a folder beside it, so that the originals"
            " stay."
        )
    if folder.is_file():
        raise UserError(f"{str(folder)!r} is a file. Give a folder for the copies.")
    if folder.is_dir() and any(folder.iterdir()) and not overwrite:
        raise UserError(
            f"The folder {str(folder)!r} holds files already: add --overwrite to replace copies, or"
            " give another."
        )


def _exact(image: Image.Image, data: bytes, form: str, turns: int, swapped: bool) -> bytes:
    """A file with the pixels turned, in a format that stores them exactly."""
    made = io.BytesIO()
    picture = _turned(image, turns)
    if form == "PNG":
        kinds = {part.kind for part in png_parts(data)}
        depth, colour = data[24], data[25]
        if depth == 16 and colour != 0:
            raise UserError(
                "it has 16 bits per channel, which Pillow would reduce to 8; left as it is."
            )
        if depth < 8 and colour == 0 and kinds & {b"tRNS", b"bKGD", b"sBIT"}:
            raise UserError(
                "it has fewer than 8 bits of grey and a transparent or background grey; left as"
                " it is."
            )
        picture.save(made, "PNG")
        return png_with_picture(data, made.getvalue(), swapped)
    if form == "WEBP":
        picture.save(made, "WEBP", lossless=True, exact=True)
        return webp_with_picture(data, made.getvalue(), picture.size)
    if form == "BMP" and data[14] >= 124 and data[70:74] in (b"DEBM", b"KNIL"):
        raise UserError(
            "it has a colour profile, which Pillow cannot write to BMP; save it as PNG."
        )
    if form not in ("BMP", "GIF"):
        raise UserError(f"it is a {form} file; save it as JPEG, PNG, BMP, GIF, TIFF or WebP.")
    picture.save(made, form)
    return made.getvalue()


def _turned(image: Image.Image, turns: int) -> Image.Image:
    shown = _as_shown(image)
    return shown.transpose(_TURNS[turns]) if turns else shown


def _as_shown(image: Image.Image) -> Image.Image:
    pixels = load_pixels(image)
    return transposed(pixels, orientation(pixels))


def _turned_jpeg(image: Any, turns: int, after: int) -> bytes:
    swapped = after > 4
    tables = [np.reshape(table, (8, 8)) for _, table in sorted(image.quantization.items())]
    # A quarter turn exchanges horizontal and vertical frequencies, and with them the steps at which
    # they were rounded.
    options: dict[str, Any] = {
        "qtables": [(each.T if swapped else each).ravel().tolist() for each in tables]
    }
    if image.layers == 3:
        sampling = JpegImagePlugin.get_sampling(image)
        # Colours at half width would need half height after a quarter turn, which Pillow does not
        # write: full resolution then.
        options["subsampling"] = sampling if sampling in ((0, 2) if swapped else (0, 1, 2)) else 0
    made = io.BytesIO()
    _turned(image, turns).save(made, "JPEG", progressive="progressive" in image.info, **options)
    return made.getvalue()


def _tiff(data: bytes, wanted: int) -> bytes:
    if data[2:4] in (b"+\0", b"\0+"):
        raise UserError("it is a BigTIFF file, which is not supported; left as it is.")
    if has_more_pages(data):
        raise UserError("it has several pages; left as it is.")
    return with_orientation(data, wanted)


def _checked_tag(content: bytes, wanted: int) -> bytes:
    """The content, if the orientation that was written is read back from it."""
    with open_image(io.BytesIO(content)) as image:
        if (found := orientation(image)) != wanted:
            raise UserError(
                f"its metadata contradict one another: orientation {wanted} was written, {found}"
                " was read back; left as it is."
            )
    return content


def _checked_pixels(content: bytes, original: Image.Image, turns: int) -> bytes:
    with open_image(io.BytesIO(content)) as copy:
        if not np.array_equal(_shown(copy), np.rot90(_shown(original), turns)):
            raise UserError(
                f"Pillow cannot write its pixels ({original.mode}) exactly; left as it is."
            )
    return content


def _shown(image: Image.Image) -> NDArray[Any]:
    shown = _as_shown(image)
    return np.asarray(shown.convert("RGBA") if shown.mode in ("P", "PA") else shown)
