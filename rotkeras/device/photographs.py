"""Photographs as a detector or a segmenter takes them: whole, stretched to its input."""

import os
import warnings
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from rotkeras.errors import UserError, brief
from rotkeras.files import expanded
from rotkeras.images import Size, read_crop, read_size, sides_of

Photographs = (
    NDArray[np.uint8]
    | str
    | os.PathLike[str]
    | Iterable[str | os.PathLike[str] | NDArray[np.uint8]]
)
"""uint8 (H, W, 3) or (n, H, W, 3) of any size, the path of an image file, or several of either."""


def stretched(
    photographs: Photographs, size: Size
) -> Iterator[tuple[NDArray[np.uint8], tuple[int, int]]]:
    """Each photograph as uint8 (1, H, W, 3), its ratio not kept, and its own (height, width).

    Args:
        photographs: see `Photographs`. Files are turned upright by their EXIF orientation.
        size: of the result.

    Raises:
        UserError: for a file that cannot be read, and arrays of another form.
    """
    if isinstance(photographs, str | os.PathLike):
        items: list[Any] = [photographs]
    elif isinstance(photographs, np.ndarray) and photographs.ndim == 3:
        items = [photographs]
    else:
        items = list(photographs)
    if not items:
        raise UserError("photographs must not be empty, got none.")
    for item in items:
        yield _of_file(item, size) if isinstance(item, str | os.PathLike) else _of_array(item, size)


def _of_file(item: Any, size: Size) -> tuple[NDArray[np.uint8], tuple[int, int]]:
    path = expanded(item)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of damaged EXIF blocks; the pixels are what counts
            shape = read_size(path)
            whole = (0.0, 0.0, float(shape[0]), float(shape[1]))
            pixels = read_crop(path, whole, sides_of(size), shape)
    except Exception as error:
        reason = "it does not exist" if isinstance(error, FileNotFoundError) else brief(error)
        raise UserError(
            f"{str(path)!r} could not be read as an image ({reason}). Give the path of an intact"
            " image file."
        ) from error
    return pixels[None], (shape[0], shape[1])


def _of_array(item: Any, size: Size) -> tuple[NDArray[np.uint8], tuple[int, int]]:
    array = np.asarray(item)
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3:
        raise UserError(
            f"A photograph must be uint8 (H, W, 3) or the path of a file, got {array.dtype}"
            f" {array.shape}; convert it."
        )
    height, width = sides_of(size)
    resized = Image.fromarray(array).resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(resized)[None], (array.shape[0], array.shape[1])
