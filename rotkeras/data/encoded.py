"""Images that stay encoded in their files, and are decoded when they are asked for."""

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rotkeras.data.decode import passes, reason_of
from rotkeras.data.headers import Headers
from rotkeras.data.names import Names
from rotkeras.data.source import BadImage
from rotkeras.errors import UserError
from rotkeras.images import read_crop, read_image

_TRIES = 1000
"""Other images that are tried in place of one that cannot be read."""


class EncodedImages:
    """uint8 images (N, S, S, 3), indexed like an array along their first axis; each is decoded from
    its file, in threads, when it is asked for.

    A row is what `rotkeras.images.read_image` gives: upright, the centred square, resized. `crops`
    cuts boxes from the photographs themselves.

    A file that cannot be decoded, has vanished, or has changed since its header was read, is
    replaced by another: the next one of the same folder that can be read, or the one before where
    there is none, or else the next of all. It is named once, in `replaced`. So a batch is a
    function of its step and of what the files hold.

    Args:
        folder: where the files lie.
        names: the files, relative to it.
        headers: of each.
        size: S.
        on_bad_image: "skip" replaces, "error" raises a `UserError` and keeps it in `error`.

    Attributes:
        replaced: files that could not be decoded, with the reason, in the order in which they were
            met.
        error: the `UserError` that was raised; None so far.
    """

    dtype = np.dtype(np.uint8)
    most_hashed = 512
    """Images whose pixels a fingerprint hashes: each must be decoded for it."""

    def __init__(
        self, folder: Path, names: Names, headers: Headers, size: int, on_bad_image: str = "skip"
    ) -> None:
        self.folder, self.names, self.headers = folder, names, headers
        self.shape: tuple[int, int, int, int] = (len(names), size, size, 3)
        self.on_bad_image = on_bad_image
        self.replaced: list[BadImage] = []
        self.error: UserError | None = None
        self._broken: set[int] = set()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        return f"EncodedImages({str(self.folder)!r}, {self.shape})"

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            raise ValueError("Encoded images become an array by a copy alone.")
        return self[:].astype(dtype or np.uint8, copy=False)

    def __getitem__(self, index: int | slice | NDArray[Any]) -> NDArray[np.uint8]:
        if isinstance(index, slice):
            rows = np.arange(*index.indices(len(self)), dtype=np.int64)
        else:
            rows = np.asarray(index)
            rows = np.flatnonzero(rows) if rows.dtype == bool else rows.astype(np.int64)
        if rows.size and not -len(self) <= rows.min() <= rows.max() < len(self):
            raise IndexError(f"rows {rows.min()} to {rows.max()} of {len(self)} images")
        rows = np.where(rows < 0, rows + len(self), rows)
        size = self.shape[1]
        out = np.empty((rows.size, *self.shape[1:]), np.uint8)
        self._fill(rows.ravel(), out, lambda row, _at: read_image(self._path(row), size))
        return out.reshape(*rows.shape, *self.shape[1:])

    def crops(
        self, rows: NDArray[np.int64], boxes: NDArray[np.floating], size: tuple[int, int]
    ) -> NDArray[np.uint8]:
        """Boxes of the photographs, resized: uint8 (n, H, W, 3).

        Args:
            rows: int64 (n,).
            boxes: (n, 4): top, left, height and width as shares of the sides of the upright
                photograph. The box is of whole pixels of it.
            size: (H, W).
        """
        out = np.empty((len(rows), *size, 3), np.uint8)

        def read(row: int, at: int) -> NDArray[np.uint8]:
            shape = (*map(int, self.headers.shapes[row]), int(self.headers.ways[row]))
            box = _pixels(boxes[at], shape[:2])
            return read_crop(self._path(row), box, size, shape)  # type: ignore[arg-type]

        self._fill(np.asarray(rows), out, read)
        return out

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
            out[at] = self._read(int(rows[at]), lambda row: read(row, at))

        if len(rows) == 1:
            one(0)
        else:
            for _ in _threads().map(one, range(len(rows))):
                pass

    def _read(self, row: int, read: Callable[[int], NDArray[np.uint8]]) -> NDArray[np.uint8]:
        if row not in self._broken:
            try:
                return read(row)
            except Exception as error:
                if isinstance(error, MemoryError) or passes(error):
                    raise
                self._name(row, error)
        for other in self._others(row):
            if other in self._broken:
                continue
            try:
                return read(other)
            except Exception as error:
                if isinstance(error, MemoryError) or passes(error):
                    raise
                self._name(other, error)
        self.error = UserError(
            f"{self._path(row)} could not be read as an image, and neither could {_TRIES} others in"
            " its place: are the images still there?"
        )
        raise self.error

    def _name(self, row: int, error: Exception) -> None:
        """Remember a file that could not be read; the first time it is named."""
        with self._lock:
            if row in self._broken:
                return
            self._broken.add(row)
            bad = BadImage.of(self._path(row), reason_of(error))
            self.replaced.append(bad)
            if self.on_bad_image == "error":
                self.error = UserError(
                    f"{bad.path} could not be read as an image ({bad.reason}): repair or remove it,"
                    " or set on_bad_image to skip."
                )
                raise self.error from error

    def _others(self, row: int) -> Iterator[int]:
        """Rows that may take the place of one, in order."""
        folder = self.names[row].rpartition("/")[0]

        def beside(number: int) -> bool:
            return 0 <= number < len(self) and self.names[number].rpartition("/")[0] == folder

        for step in (1, -1):
            other = row + step
            while beside(other) and abs(other - row) <= _TRIES:
                yield other
                other += step
        for distance in range(1, min(len(self), _TRIES)):
            yield (row + distance) % len(self)

    def _path(self, row: int) -> str:
        return f"{self.folder}/{self.names[row]}"


def _pixels(box: NDArray[np.floating], shape: tuple[int, ...]) -> tuple[float, float, float, float]:
    """A box in shares of an image as whole pixels of it: one at least, and inside."""
    top, left, tall, wide = (float(each) for each in box)
    height, width = shape
    tall, wide = max(1.0, float(round(tall * height))), max(1.0, float(round(wide * width)))
    return (
        min(float(round(top * height)), height - tall),
        min(float(round(left * width)), width - wide),
        tall,
        wide,
    )


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(os.cpu_count() or 1, "decode")
