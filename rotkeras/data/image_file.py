"""Decoded images in a file, read by rows without becoming the process's memory."""

import math
import os
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rotkeras.data.image_rows import ImageRows

_ROWS_AHEAD = 256
_LONG_READ = 2**22


class ImageFile(ImageRows):
    """uint8 images (N, H, W, 3) in an `.npy` file, indexed like an array along their first axis;
    what is read is a copy.

    A memory map would do the same, but every page that it touches counts as memory of the process:
    over an epoch the whole file. The rows of a batch are announced to the system before the first
    is read, which lets the disk fetch them together: 128 random rows of 96×96 take 7 ms instead of
    26 ms by a map when nothing is in the system's cache, and 1.5 ms instead of 0.6 ms when all is.

    Args:
        path: the file.
        rows: how many of its rows are meant, from the first; None for all.

    Raises:
        OSError: when the file is not there, or shorter than it says.
        ValueError: when it is no `.npy` file of such images.

    Example:
        images = ImageFile("images.npy")
        images[7], images[2:5], images[numpy.array([9, 3])]  # uint8 (H, W, 3), (3, H, W, 3), (2, H,
        W, 3)
    """

    def __init__(self, path: str | os.PathLike[str], rows: int | None = None) -> None:
        self.path = Path(path)
        with open(self.path, "rb") as file:
            np.lib.format.read_magic(file)
            shape, fortran_order, dtype = np.lib.format.read_array_header_1_0(file)
            self._offset = file.tell()
            size = os.fstat(file.fileno()).st_size
        if dtype != np.uint8 or fortran_order or len(shape) != 4 or (rows or 0) > shape[0]:
            raise ValueError(f"{self.path} holds {dtype} of shape {shape}")
        self.shape = (shape[0] if rows is None else rows, *shape[1:])
        if size < self._offset + math.prod(self.shape):
            raise OSError(f"{self.path} is shorter than the images that it should hold")
        self._descriptor = os.open(self.path, os.O_RDONLY)
        weakref.finalize(self, os.close, self._descriptor).atexit = False

    def __repr__(self) -> str:
        return f"ImageFile({str(self.path)!r}, {self.shape})"

    def _read(self, rows: NDArray[np.int64], out: NDArray[np.uint8]) -> None:
        size, into = math.prod(self.shape[1:]), out.reshape(-1).data
        filled = 0
        runs = list(_runs(rows))
        for start in range(0, len(runs), _ROWS_AHEAD):
            some = runs[start : start + _ROWS_AHEAD]
            for first, count in some:
                # Not of a long run: that is read ahead by itself, and asking for all of it would
                # push out what is needed sooner.
                if hasattr(os, "posix_fadvise") and count * size <= _LONG_READ:
                    os.posix_fadvise(
                        self._descriptor,
                        self._offset + first * size,
                        count * size,
                        os.POSIX_FADV_WILLNEED,
                    )
            for first, count in some:
                self._fill(into[filled : filled + count * size], self._offset + first * size)
                filled += count * size

    def _fill(self, into: memoryview, offset: int) -> None:
        while into:  # one read gives two gigabytes at most
            done = os.preadv(self._descriptor, [into], offset)
            if not done:
                raise OSError(f"{self.path} has become shorter while it was read")
            into, offset = into[done:], offset + done


class NewImageFile:
    """A file for `ImageFile`, filled by rows: what is written goes to the disk and takes no memory.

    Args:
        path: where it is made.
        shape: (N, H, W, 3).

    Example:
        with NewImageFile("images.npy", (2, 8, 8, 3)) as file:
            file[0] = numpy.zeros((8, 8, 3), numpy.uint8)
            file[0:2] = numpy.zeros((2, 8, 8, 1), numpy.uint8)  # one channel is written three times
    """

    def __init__(self, path: str | os.PathLike[str], shape: tuple[int, ...]) -> None:
        self.shape = shape
        self._file = open(path, "wb", buffering=0)  # noqa: SIM115
        np.lib.format.write_array_header_1_0(
            self._file, {"descr": "|u1", "fortran_order": False, "shape": shape}
        )
        self._offset = self._file.tell()
        self._file.truncate(self._offset + math.prod(shape))

    def __enter__(self) -> "NewImageFile":
        return self

    def __exit__(self, kind: Any, *_about: Any) -> None:
        try:
            if kind is None:
                os.fsync(
                    self._file.fileno()
                )  # else a failing power supply could leave a whole file of black images
        finally:
            self._file.close()

    def __setitem__(self, index: int | slice, images: NDArray[np.uint8]) -> None:
        first, end, _ = (
            index.indices(self.shape[0]) if isinstance(index, slice) else (index, index + 1, 1)
        )
        pixels = np.broadcast_to(images, (end - first, *self.shape[1:]))
        content = np.ascontiguousarray(pixels, np.uint8).reshape(-1).data
        self._file.seek(self._offset + first * math.prod(self.shape[1:]))
        while content:
            content = content[self._file.write(content) :]


def _runs(rows: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """(first row, how many) of the rows that follow each other, which are one read."""
    starts = np.flatnonzero(np.diff(rows, prepend=-2) != 1)
    return zip(rows[starts].tolist(), np.diff(starts, append=len(rows)).tolist(), strict=True)
