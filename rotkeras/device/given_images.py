"""The images that a user gives, in any of their forms, one after the other as pixels."""

import os
import warnings
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import UnidentifiedImageError

from rotkeras.errors import UserError, brief
from rotkeras.files import expanded
from rotkeras.images import Size, read_image, sides_of

Images = (
    NDArray[np.uint8]
    | str
    | os.PathLike[str]
    | Iterable[str | os.PathLike[str] | NDArray[np.uint8]]
)
"""uint8 (n, H, W, 3) or (H, W, 3), the path of an image file, or several of either."""


def each_image(
    images: Images, size: Size, taker: object
) -> tuple[int, Iterator[NDArray[np.uint8]]]:
    """Count images and give them one by one; files are read when their turn comes, so that memory
    does not grow with them.

    Args:
        images: uint8 (n, H, W, 3) or (H, W, 3), the path of an image file, or several of either. A
            file is turned upright by its EXIF orientation, its centre is cut and resized.
        size: pixels of each side, or (H, W).
        taker: named in errors as what takes the images.

    Returns:
        (n, an iterator over uint8 (H, W, 3)).

    Raises:
        UserError: for images of another dtype or shape; while iterating, for files that are no
            images.
    """
    if isinstance(images, str | os.PathLike):
        items: Any = [images]
    elif isinstance(images, np.ndarray) and images.dtype.kind not in "UO":
        items = images[None] if images.ndim == 3 else images
        if items.dtype != np.uint8 or items.shape[1:] != (*sides_of(size), 3):
            raise _wrong_kind(images, size, taker)
    elif isinstance(images, Iterable):
        items = list(images)
        if not items:
            raise UserError("images must not be empty, got a list without images.")
        for item in items:
            if not isinstance(item, str | os.PathLike):
                array = np.asarray(item)
                if array.dtype != np.uint8 or array.shape != (*sides_of(size), 3):
                    raise _wrong_kind(item, size, taker)
    else:
        raise _wrong_kind(images, size, taker)
    return len(items), (
        _read(item, size) if isinstance(item, str | os.PathLike) else np.asarray(item)
        for item in items
    )


def _wrong_kind(images: Any, size: Size, taker: object) -> UserError:
    height, width = sides_of(size)
    received = (
        f"{images.dtype} {images.shape}"
        if isinstance(images, np.ndarray)
        else f"a {type(images).__name__}"
    )
    return UserError(
        f"An image of the wrong kind: {str(taker)!r} takes uint8 arrays (n, {height}, {width}, 3)"
        f" or paths of image files, received {received}; convert and resize the images, or give"
        " their files."
    )


def _read(path: str | os.PathLike[str], size: Size) -> NDArray[np.uint8]:
    path = expanded(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of damaged EXIF blocks; the pixels are what counts
            return read_image(path, size)
    except Exception as error:
        if isinstance(error, UnidentifiedImageError):
            reason = "its content is not an image"
        elif isinstance(error, FileNotFoundError):
            reason = "it does not exist"
        else:
            reason = brief(error)
        raise UserError(
            f"{str(path)!r} could not be read as an image ({reason}). Give the path of an intact"
            " image file."
        ) from error
