"""Photographs as a source of crops that are made once: in memory, or in the cache where they are
too many."""

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rotkeras.data.cache import Decoded, Stamp, available_memory, cached_array, named
from rotkeras.data.crops import Crops, Photograph, cut, shares
from rotkeras.data.decode import check_bad, ordered_map, passes, reason_of
from rotkeras.data.folder import check_folder, find_images, status_of
from rotkeras.data.folder_layout import find_parts
from rotkeras.data.lists import read_list
from rotkeras.data.opened import FOLDER_IMAGE_SIZE, How, Opened
from rotkeras.data.source import BadImage, Images
from rotkeras.errors import UserError
from rotkeras.files import as_text, expanded
from rotkeras.images import Size, load_pixels, open_image, read_size, sides_of, to_rgb, upright

_CHUNK = 256
"""Crops that a thread makes at a time."""
_VERSION = 2
"""Of how crops are made: other crops are not found in a cache."""
_FEW_PIXELS = 4
"""A photograph whose shorter side is less than this many times that of a crop is named: its crops
are mostly enlarged."""


def open_crops(kind: str, given: Any, how: How, crops: Crops) -> Opened:
    """Crops of the photographs of a folder, of one image file, or of a list.

    Args:
        kind: "folder" or "list".
        given: the path.
        how: how images are read.
        crops: what to make of them.

    Raises:
        UserError: for other kinds, fewer crops than photographs, and when no photograph can be
            read.
    """
    if kind not in ("folder", "list"):
        raise UserError(
            f"crops are made of image files, got kind {kind!r}; give a folder, an image file or a"
            " list, or remove crops."
        )
    if how.labels == "folders":
        raise UserError("labels must be auto or none with crops, got 'folders'; crops have none.")
    if how.storage == "encoded":
        raise UserError(
            "storage must be auto, memory or file with crops, got 'encoded'; crops are made once."
        )
    if how.test_folder is not None or how.validation_list is not None or how.test_list is not None:
        raise UserError(
            "test_folder, validation_list and test_list are not for crops: remove them. Labelled"
            " images to evaluate features on are named by probe.data."
        )
    name, folder, files = _photographs(kind, given, how)
    if crops.count < len(files):
        raise UserError(
            f"crops.count must be at least {len(files):,}, one for each photograph, got"
            f" {crops.count:,}."
        )
    size = how.image_size or FOLDER_IMAGE_SIZE
    decoded = _made(folder, files, size, crops, how)
    check_bad(decoded.bad, how.on_bad_image)
    how.skipped += decoded.bad
    if not len(decoded.positions):
        bad = decoded.bad[0]
        raise UserError(
            f"None of the {len(files)} photographs of {as_text(name)} could be read; the first:"
            f" {bad.path} ({bad.reason}): give whole images."
        )
    how.notes += _small(folder, files, _FEW_PIXELS * max(sides_of(size)))
    whole = len(files) - len(decoded.bad)
    several = "s" if whole > 1 else ""
    how.notes.append(
        f"validation images are crops of the same photograph{several} as training images"
    )
    kept = f"are {len(decoded.positions):,} crops of {whole:,} photograph{several}, {decoded.kept}"
    images = Images.of(decoded.array, kept=kept)
    return Opened(as_text(name), images, lambda: None)


def _photographs(kind: str, given: Any, how: How) -> tuple[str, Path, list[str]]:
    """(name of the source, folder, files in it)."""
    path = expanded(given)
    if kind == "list":
        listing = read_list(path, how.list_folder)
        how.notes += listing.notes
        part = listing.part("train")
        if part is None:
            raise UserError(f"The list {str(path)!r} has no training images; its parts need train.")
        return path.stem, Path(part.folder), list(part.names)
    if path.is_file():
        return path.stem, path.parent, [path.name]
    check_folder(path)
    if (parts := find_parts(path)) is not None:
        how.notes.append(f"crops are made of the photographs in {parts.train.name}/ alone")
        path = parts.train
    unreadable: list[BadImage] = []
    files = list(find_images(path, unreadable))
    check_bad(unreadable, how.on_bad_image)
    how.skipped += unreadable
    return path.resolve().name, path, files


def _small(folder: Path, files: list[str], least: int) -> list[str]:
    """A line about photographs whose shorter side has less pixels than that."""
    small = []
    for file in files:
        try:
            if min(read_size(f"{folder}/{file}")[:2]) < least:
                small.append(as_text(file))
        except Exception:  # one that cannot be read is named elsewhere
            continue
    if not small:
        return []
    others = f" and {len(small) - 1:,} more" if len(small) > 1 else ""
    return [
        f"{small[0]}{others}: the shorter side has less than {least:,} pixels, so most crops are"
        " enlarged and soft"
    ]


def _made(folder: Path, files: list[str], size: Size, crops: Crops, how: How) -> Decoded:
    """The crops of all photographs, filled now or found in a cache."""
    shape = (crops.count, *sides_of(size), 3)
    if how.storage == "memory" and math.prod(shape) > available_memory():
        raise UserError(
            f"{crops.count:,} crops of {shape[1]}×{shape[2]} pixels do not fit in memory: lower"
            " crops.count, or set storage to file."
        )
    stamp = Stamp(f"crops {_VERSION}", str(folder.resolve()), named(size), repr(crops))
    for file in files:
        stamp.add(f"{file} {status_of(folder, file)}")

    def fill(out: Any) -> tuple[NDArray[np.int64], list[BadImage]]:
        return _fill(out, folder, files, sides_of(size), crops, how)

    title = f"{folder.name or folder.resolve().name}-crops-{named(size)}"
    return cached_array(shape, fill, how.cache, title, stamp, storage=how.storage)


def _fill(
    out: Any, folder: Path, files: list[str], size: tuple[int, int], crops: Crops, how: How
) -> tuple[NDArray[np.int64], list[BadImage]]:
    """Make the crops, one photograph after the other, of which one is in memory."""
    row, made, bad = 0, [], []
    for file, numbers in zip(files, shares(crops.count, len(files)), strict=True):
        photograph = _read(f"{folder}/{file}")
        if isinstance(photograph, Exception):
            bad.append(BadImage.of(f"{folder}/{file}", reason_of(photograph)))
            check_bad(bad, how.on_bad_image)
            continue
        made.append(np.arange(numbers.start, numbers.stop))
        row = _fill_from(photograph, numbers, out, row, size, crops, how)
    positions = np.concatenate(made) if made else np.empty(0, np.int64)
    return positions.astype(np.int64), bad


def _fill_from(
    photograph: Photograph,
    numbers: range,
    out: Any,
    row: int,
    size: tuple[int, int],
    crops: Crops,
    how: How,
) -> int:
    """Write the crops of one photograph into `out` from a row on; the row after the last."""
    chunks = [
        np.arange(begin, min(begin + _CHUNK, numbers.stop), dtype=np.int64)
        for begin in range(numbers.start, numbers.stop, _CHUNK)
    ]
    for chunk, pixels in zip(
        chunks, ordered_map(lambda each: cut(photograph, crops, each, size), chunks), strict=True
    ):
        if isinstance(pixels, Exception):  # a mistake of ours, and not of an image
            raise pixels
        out[row : row + len(chunk)] = pixels
        row += len(chunk)
        if how.progress:
            how.progress(int(chunk[-1]) + 1, crops.count)
    return row


def _read(path: str) -> Photograph | Exception:
    """An image file at its own size, upright; what went wrong with one that cannot be read."""
    try:
        with open_image(path) as image:
            return Photograph(np.asarray(to_rgb(upright(load_pixels(image)))))
    except MemoryError:
        raise
    except Exception as error:
        if passes(error):
            raise
        return error
