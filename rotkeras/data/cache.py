"""Decoded images in memory, or in a file on disk, where they are found by the next run."""

import errno
import hashlib
import json
import math
import os
import platform
import re
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from rotkeras.data.image_file import ImageFile, NewImageFile
from rotkeras.data.source import BadImage
from rotkeras.errors import UserError
from rotkeras.files import expanded, is_full, unfinished
from rotkeras.images import Size

MEMORY_SHARE = 0.5
"""Images are held in memory when they take at most this share of what is available.

The other half is for what comes after: TensorFlow, a training step, features of probes, and the
images of a test folder. Little is lost by a file: the system keeps as much of it as fits in memory
that it gives back when others need it.
"""
FILE_SHARE = 0.5
"""Images are decoded into a file when it takes at most this share of what is free on its disk; else
they stay encoded."""
Storage = Literal["memory", "file", "encoded"]
_HOST = re.sub(r"[^A-Za-z0-9-]", "-", platform.node()) or "host"
_DISK_SHARE = 0.95

Fill = Callable[[Any], tuple[NDArray[np.int64], list[BadImage]]]
"""Fills `out`, to whose rows uint8 images are assigned, from row 0; returns (positions int64 that
were kept, bad images)."""


class Decoded(NamedTuple):
    """Decoded images.

    Attributes:
        array: uint8 (N, H, W, 3), the rows that were kept: an array or an `ImageFile`, which is
            indexed alike.
        positions: int64 (N,), which of the items they are.
        bad: files that could not be read.
        kept: where they are, in words.
    """

    array: NDArray[np.uint8]
    positions: NDArray[np.int64]
    bad: list[BadImage]
    kept: str


class Stamp:
    """A digest, taken line by line, of all that decoded images depend on.

    Args:
        source: lines that say which images these are and at which size; what is added later is
            their content.

    Attributes:
        source: sixteen hexadecimal digits for the first lines alone: the same before and after
            images change.
    """

    def __init__(self, *source: str) -> None:
        self._digest = hashlib.sha256("\n".join(source).encode("utf-8", "surrogatepass"))
        self.source = self.key()

    def add(self, line: str) -> None:
        """Add a line; file names may hold bytes that are no UTF-8."""
        self._digest.update(f"\n{line}".encode("utf-8", "surrogatepass"))

    def key(self) -> str:
        """Sixteen hexadecimal digits for all lines."""
        return self._digest.hexdigest()[:16]


def named(size: Size) -> str:
    """A size in names of files and in stamps: "96", or "96x128"."""
    return str(size) if isinstance(size, int) else f"{size[0]}x{size[1]}"


def available_memory() -> int:
    """Bytes of memory that can be used without swapping, within a container's limit; a very large
    number where no one says."""
    free = 1 << 62
    try:
        with open("/proc/meminfo") as file:
            free = next(
                int(line.split()[1]) * 1024 for line in file if line.startswith("MemAvailable:")
            )
    except (OSError, StopIteration):
        pass
    try:
        group = Path("/sys/fs/cgroup")
        files = next(
            line
            for line in (group / "memory.stat").read_text().splitlines()
            if line.startswith("inactive_file ")
        )
        limit, used = (int((group / name).read_text()) for name in ("memory.max", "memory.current"))
        return min(free, max(0, limit - used + int(files.split()[1])))
    except (OSError, StopIteration, ValueError):  # no such group, or "max": no limit
        return free


def default_cache() -> Path:
    """The folder for images that do not fit in memory when none is named:
    `$XDG_CACHE_HOME/rotkeras`, or `~/.cache/rotkeras`."""
    named = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if named.is_absolute():
        return named / "rotkeras"
    try:
        return Path.home() / ".cache" / "rotkeras"
    except RuntimeError:  # a user without a home, as in some containers
        return Path(tempfile.gettempdir()) / "rotkeras"


def fitting(shape: tuple[int, int, int, int], cache: str | Path | None) -> Storage:
    """Where decoded images fit: memory, a file, or nowhere, so that they stay encoded.

    Args:
        shape: (N, H, W, 3).
        cache: folder that is named for them; they are decoded into it whatever they take.
    """
    if cache is not None:
        return "file"
    need = math.prod(shape)
    if need <= MEMORY_SHARE * available_memory():
        return "memory"
    place = default_cache()
    there = next(each for each in (place, *place.parents) if each.exists())
    return "file" if need <= FILE_SHARE * shutil.disk_usage(there).free else "encoded"


def cached_array(
    shape: tuple[int, int, int, int],
    fill: Fill,
    cache: str | Path | None,
    title: str,
    stamp: Stamp,
    beside: Mapping[str, NDArray[np.int64]] | None = None,
    storage: Storage | None = None,
) -> Decoded:
    """Decoded images, filled now or found from an earlier time.

    Args:
        shape: (N, H, W, 3), N the number of items before any is skipped.
        fill: see `Fill`.
        cache: folder on disk to keep them in. None holds them in memory when they fit, see
            `MEMORY_SHARE`, and else keeps them in `default_cache()`, where images that have changed
            since take the place of what was kept of them.
        title: the beginning of the folder's name.
        stamp: of what the content depends on; another stamp is another folder.
        beside: arrays that `fill` fills too; they are kept with the images.
        storage: memory or file, in place of what fits.

    Raises:
        UserError: when the cache cannot be written to, or has not enough room.
    """
    need, beside = math.prod(shape), beside or {}
    place = default_cache() if cache is None else expanded(cache)
    if cache is None:  # where folders of one name meet
        title = f"{title}-{stamp.source[:8]}"
    home = place / f"{title}-{stamp.key()}"
    how, found = "found in", _open(home, beside)
    fits = need <= MEMORY_SHARE * available_memory()
    if storage == "memory" or (found is None and cache is None and storage is None and fits):
        array = np.empty(shape, np.uint8)
        positions, bad = fill(array)
        return Decoded(
            array[: len(positions)], positions, bad, f"decoded into memory, {_size(need)}"
        )
    if found is None:
        _prepare(place)
        _sweep(home)
        if cache is None:
            _remove_outdated(home, title)
        _check_room(place, shape)
        _make(home, shape, fill, beside)
        how, found = "decoded into", _open(home, beside)
    if found is None:
        raise UserError(
            f"The cache {str(home)!r} cannot be read back: set data.cache to a folder on another"
            " disk."
        )
    return found._replace(
        kept=f"{how} the cache {home}, {_size(need)}, and read from there as they are needed"
    )


def _open(home: Path, beside: Mapping[str, NDArray[np.int64]]) -> Decoded | None:
    """What a cache holds; None when there is none, or when it is damaged."""
    try:
        index = json.loads((home / "index.json").read_text())
        bad = [BadImage(each["path"], each["reason"]) for each in index["bad"]]
        if "kept" in index:  # as it was written before, with a number for each image
            positions = np.array(index["kept"], np.int64)
        else:
            positions = np.delete(np.arange(index["images"], dtype=np.int64), index["missing"])
        for name, array in beside.items():
            array[:] = np.load(home / f"{name}.npy")
        if hasattr(os, "preadv"):
            images = cast(NDArray[np.uint8], ImageFile(home / "images.npy", len(positions)))
        else:  # Windows
            images = np.load(home / "images.npy", mmap_mode="r")[: len(positions)]
        return Decoded(images, positions, bad, "")
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _make(
    home: Path, shape: tuple[int, ...], fill: Fill, beside: Mapping[str, NDArray[np.int64]]
) -> None:
    """Fill a cache in a temporary folder, then put it in place in one step."""
    working = home.with_name(f"{home.name}.{_HOST}.{os.getpid()}.part")
    try:
        with unfinished(working):
            working.mkdir(parents=True)
            with NewImageFile(working / "images.npy", shape) as out:
                positions, bad = fill(out)
            for name, array in beside.items():
                np.save(working / f"{name}.npy", array)
            missing = np.setdiff1d(np.arange(shape[0]), positions, assume_unique=True)
            content = {
                "images": shape[0],
                "missing": missing.tolist(),
                "bad": [vars(each) for each in bad],
            }
            (working / "index.json").write_text(json.dumps(content))
            if home.is_dir() and _open(home, {}) is None:
                shutil.rmtree(home)
            working.rename(home)
    except OSError as error:
        if _open(home, {}) is not None:  # another process was first, with the same images
            return
        if is_full(error):
            raise UserError(
                f"The disk became full while decoded images were written to {str(home.parent)!r}:"
                " make room there, or set data.cache to a folder on a larger disk."
            ) from None
        raise


def _prepare(place: Path) -> None:
    try:
        place.mkdir(parents=True, exist_ok=True)
        if not os.access(place, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise UserError(
            f"data.cache must be a folder that can be written to, got {str(place)!r}"
            f" ({(error.strerror or str(error)).lower()})."
        ) from None


def _check_room(place: Path, shape: tuple[int, ...]) -> None:
    need, free = math.prod(shape), shutil.disk_usage(place).free
    if need > _DISK_SHARE * free:
        raise UserError(
            f"{shape[0]:,} images of {shape[1]}×{shape[2]} pixels need {_size(need)} in the cache"
            f" {str(place)!r}, and {_size(free)} are free there: make room, set data.image_size"
            " smaller, or set data.cache to a folder on a larger disk."
        )


def _remove_outdated(home: Path, title: str) -> None:
    """Remove what was kept of the same images before they changed; a process that reads from it
    goes on doing so."""
    for left in home.parent.iterdir():
        if left != home and re.fullmatch(re.escape(title) + "-[0-9a-f]{16}", left.name):
            shutil.rmtree(left, ignore_errors=True)


def _sweep(home: Path) -> None:
    """Remove what processes that were killed left unfinished, of these images or others."""
    for left in home.parent.iterdir():
        # Of this host alone: in a folder that several share, another one's processes cannot be seen
        # from here.
        if match := re.fullmatch(
            rf"(.*-[0-9a-f]{{16}})\.{re.escape(_HOST)}\.(\d+)\.part", left.name, re.DOTALL
        ):
            process = int(match[2])
            if not _alive(process) or (process == os.getpid() and match[1] == home.name):
                shutil.rmtree(left, ignore_errors=True)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _size(count: int) -> str:
    for unit, size in (("GiB", 2**30), ("MiB", 2**20)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count / 2**10:.1f} KiB"
