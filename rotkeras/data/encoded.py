"""Images that stay encoded in their files, and are decoded when they are asked for."""

import itertools
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from rotkeras.data.decode import passes, reason_of
from rotkeras.data.headers import Headers
from rotkeras.data.image_rows import ImageRows
from rotkeras.data.names import Names
from rotkeras.data.source import BadImage
from rotkeras.errors import UserError
from rotkeras.images import Size, read_crop, read_image, sides_of

_TRIES = 1000
"""Other images that are tried in place of one that cannot be read."""


class Encoded(Protocol):
    """Encoded images, each a file or a record."""

    def __len__(self) -> int:
        """How many there are."""

    def open(self, row: int) -> Any:
        """What `rotkeras.images.open_image` takes: a path or a binary file."""

    def where(self, row: int) -> str:
        """Its path, or what else names it for people."""

    def group(self, row: int) -> str:
        """Those of a group replace each other first."""


class Files:
    """Image files.

    Args:
        folder: where they lie.
        names: relative to it.
        labels: int64 (N,), where the class is not the folder; then those of a class are a group.
    """

    def __init__(self, folder: Path, names: Names, labels: NDArray[np.int64] | None = None) -> None:
        self.folder, self.names, self.labels = folder, names, labels

    def __repr__(self) -> str:
        return repr(str(self.folder))

    def __len__(self) -> int:
        return len(self.names)

    def open(self, row: int) -> str:
        """The path."""
        return self.where(row)

    def where(self, row: int) -> str:
        """The path."""
        return f"{self.folder}/{self.names[row]}"

    def group(self, row: int) -> str:
        """The class, where it is given, or else the folder."""
        if self.labels is not None:
            return str(self.labels[row])
        return self.names[row].rpartition("/")[0]


class EncodedImages(ImageRows):
    """uint8 images (N, H, W, 3), indexed like an array along their first axis; each is decoded from
    its file or record, in threads, when it is asked for.

    A row is what `rotkeras.images.read_image` gives: upright, its centre cut, resized. `crops`
    cuts boxes from the photographs themselves.

    One that cannot be decoded, has vanished, or has changed since its header was read, is replaced
    by another of its part (training is not mixed with validation): the next one of the same group
    (class or folder) that can be read, or the one before where there is none, or else the next of
    all. It is named once, in `replaced`. So a batch is a
    function of its step and of what the files hold.

    Args:
        files: what is decoded.
        headers: of each.
        size: pixels of each side of squares, or (H, W).
        on_bad_image: "skip" replaces, "error" raises a `UserError` and keeps it in `error`.

    Attributes:
        replaced: files that could not be decoded, with the reason, in the order in which they were
            met.
        error: the `UserError` that was raised; None so far.
    """

    most_hashed = 512
    """Images whose pixels a fingerprint hashes: each must be decoded for it."""

    def __init__(
        self, files: Encoded, headers: Headers, size: Size, on_bad_image: str = "skip"
    ) -> None:
        self.files, self.headers = files, headers
        self.shape = (len(files), *sides_of(size), 3)
        self.on_bad_image = on_bad_image
        self.replaced: list[BadImage] = []
        self.error: UserError | None = None
        self._part = np.zeros(len(files), np.int8)
        self._broken: set[int] = set()
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"EncodedImages({self.files!r}, {self.shape})"

    def _read(self, rows: NDArray[np.int64], out: NDArray[np.uint8]) -> None:
        size = self.shape[1:3]
        self._fill(rows, out, lambda row, _at: read_image(self.files.open(row), size))

    def crops(
        self,
        rows: NDArray[np.int64],
        boxes: NDArray[np.floating],
        size: tuple[int, int],
        flips: NDArray[np.bool_] | None = None,
    ) -> NDArray[np.uint8]:
        """Boxes of the photographs, resized: uint8 (n, H, W, 3).

        Args:
            rows: int64 (n,).
            boxes: (n, 4): top, left, height and width as shares of the sides of the upright
                photograph. The box is of whole pixels of it.
            size: (H, W).
            flips: (n,), whether left and right of each are exchanged; None for none.
        """
        out = np.empty((len(rows), *size, 3), np.uint8)
        flips = np.zeros(len(rows), bool) if flips is None else flips

        def read(row: int, at: int) -> NDArray[np.uint8]:
            height, width = self.headers.shapes[row].tolist()
            box = whole_pixels(boxes[at], self.headers.shapes[row])
            shape = height, width, int(self.headers.ways[row])
            place = tuple(box.tolist())
            return read_crop(self.files.open(row), place, size, shape, bool(flips[at]))

        self._fill(np.asarray(rows), out, read)
        return out

    def separate(self, *parts: NDArray[np.int64]) -> None:
        """Let the rows of each part be replaced by rows of the same part alone."""
        self._part[:] = 0
        for number, rows in enumerate(parts, 1):
            self._part[rows] = number

    def sides(self, rows: NDArray[np.int64]) -> NDArray[np.int32]:
        """Height and width of photographs as they are shown: int32 (n, 2)."""
        return self.headers.shapes[rows]

    def _fill(
        self,
        rows: NDArray[np.int64],
        out: NDArray[np.uint8],
        read: Callable[[int, int], NDArray[np.uint8]],
    ) -> None:
        def one(at: int) -> None:
            out[at] = self._one(int(rows[at]), lambda row: read(row, at))

        if len(rows) == 1:
            one(0)
        else:
            for _ in _threads().map(one, range(len(rows))):
                pass

    def _one(self, row: int, read: Callable[[int], NDArray[np.uint8]]) -> NDArray[np.uint8]:
        """The image of a row, or the first that can be read of those that may take its place."""
        for each in itertools.chain([row], self._others(row)):
            if each in self._broken:
                continue
            try:
                return read(each)
            except Exception as error:
                if isinstance(error, MemoryError) or passes(error):
                    raise
                self._name(each, error)
        self.error = UserError(
            f"{self.files.where(row)} could not be read as an image, and neither could"
            f" {_TRIES} others in its place: are the images still there?"
        )
        raise self.error

    def _name(self, row: int, error: Exception) -> None:
        """Remember a file that could not be read; the first time it is named."""
        with self._lock:
            if row in self._broken:
                return
            self._broken.add(row)
            bad = BadImage.of(self.files.where(row), reason_of(error))
            self.replaced.append(bad)
            if self.on_bad_image == "error":
                self.error = UserError(
                    f"{bad.path} could not be read as an image ({bad.reason}): repair or remove it,"
                    " or set on_bad_image to skip."
                )
                raise self.error from error

    def _others(self, row: int) -> Iterator[int]:
        """Rows that may take the place of one, in order."""
        group, part = self.files.group(row), self._part[row]
        # Those of a group lie together in a folder, and anywhere in a list.
        after = [*range(row + 1, min(len(self), row + _TRIES + 1))]
        before = [*range(row - 1, max(-1, row - _TRIES - 1), -1)]
        for other in (*after, *before):
            if self._part[other] == part and self.files.group(other) == group:
                yield other
        for distance in range(1, min(len(self), _TRIES)):
            if self._part[other := (row + distance) % len(self)] == part:
                yield other


def whole_pixels(boxes: NDArray[np.floating], sides: NDArray[np.integer]) -> NDArray[np.int64]:
    """Boxes (…, 4) in shares of the sides (…, 2) of images as whole pixels of them: top, left,
    height and width; one pixel at least, and inside."""
    lengths = np.maximum(np.rint(boxes[..., 2:] * sides), 1)
    begins = np.minimum(np.rint(boxes[..., :2] * sides), sides - lengths)
    return np.concatenate([begins, lengths], axis=-1).astype(np.int64)


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(os.cpu_count() or 1, "decode")
