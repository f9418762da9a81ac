"""Many images into one array, in parallel, and without ever failing half way."""

import errno
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import UnidentifiedImageError

from rotkeras.data.source import BadImage
from rotkeras.errors import UserError

Progress = Callable[[int, int], None]
"""Called with (images read, images in all) while a source is read."""


_PASSING = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ESTALE, errno.EINTR)
"""Failures of the system that another time would not happen."""


def read_all(
    items: Sequence[Any],
    read: Callable[[Any], NDArray[np.uint8]],
    out: Any,
    on_bad_image: str = "skip",
    progress: Progress | None = None,
    name_of: Callable[[Any], str] = str,
) -> tuple[NDArray[np.int64], list[BadImage]]:
    """Read every item in parallel into consecutive rows of `out`, leaving no gap for those that
    cannot be read.

    Args:
        items: what `read` takes.
        read: item -> uint8 (H, W, 3).
        out: uint8 (at least len(items), H, W, 3), filled from row 0: an array, or anything to whose
            rows images can be assigned.
        on_bad_image: "skip" or "error".
        progress: called now and then with (done, all).
        name_of: item -> what it is called when it cannot be read.

    Returns:
        (positions int64 of the items that were read, in order; those that were not, with the
        reason).

    Raises:
        UserError: at the first bad image when `on_bad_image` is "error".
    """
    whole = np.ones(len(items), bool)
    row = 0
    bad: list[BadImage] = []
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # damaged EXIF blocks warn once a file; the pixels are what counts
        for position, (item, result) in enumerate(
            zip(items, ordered_map(read, items), strict=True)
        ):
            if isinstance(result, Exception):
                whole[position] = False
                bad.append(BadImage.of(name_of(item), reason_of(result)))
                check_bad(bad, on_bad_image)
            else:
                out[row] = result
                row += 1
            if progress and (position % 64 == 63 or position + 1 == len(items)):
                progress(position + 1, len(items))
    return np.flatnonzero(whole), bad


def reason_of(error: Exception) -> str:
    """Why an image could not be read, in words."""
    if isinstance(error, UnidentifiedImageError):
        return "its content is not an image"
    if isinstance(error, FileNotFoundError):
        return "it is gone"
    return " ".join(str(error).split()) or type(error).__name__


def passes(error: Exception) -> bool:
    """Whether a failure is the system's, which another time would not happen."""
    return isinstance(error, OSError) and error.errno in _PASSING


def check_bad(bad: list[BadImage], on_bad_image: str) -> None:
    """Raise a `UserError` for the first bad image when `on_bad_image` is "error"."""
    if bad and on_bad_image == "error":
        raise UserError(
            f"{bad[0].path} could not be read as an image ({bad[0].reason}): repair or remove it,"
            " or set on_bad_image to skip."
        )


def ordered_map(function: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
    """Map in threads, in order, with a bounded number under way; an exception is yielded, not
    raised."""

    def attempt(item: Any) -> Any:
        try:
            return function(item)
        except MemoryError:
            raise
        except Exception as error:
            if passes(error):
                raise  # not the item's fault: it must not be remembered as one that cannot be read
            return error

    workers = os.cpu_count() or 1
    remaining = iter(items)
    pool = ThreadPoolExecutor(workers)
    try:
        while chunk := list(islice(remaining, 64 * workers)):
            yield from pool.map(attempt, chunk)
    finally:
        pool.shutdown(cancel_futures=True)  # after an error or an interrupt, no item is begun
