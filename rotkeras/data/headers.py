"""Height, width and orientation of image files, read once from their headers and kept."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rotkeras.data.cache import default_cache
from rotkeras.data.decode import Progress, ordered_map, reason_of
from rotkeras.data.names import Names
from rotkeras.data.source import BadImage
from rotkeras.files import as_text, write_whole
from rotkeras.images import read_size

_CHUNK = 4096


class Headers(NamedTuple):
    """What the headers of N files say.

    Attributes:
        shapes: int32 (N, 2): height and width as shown.
        ways: uint8 (N,): the orientation, 1 … 8.
    """

    shapes: NDArray[np.int32]
    ways: NDArray[np.uint8]


def read_headers(
    folder: Path, names: Names, progress: Progress | None = None, part: str = ""
) -> tuple[Headers, NDArray[np.int64], list[BadImage]]:
    """The headers of image files.

    They are kept in `headers/` of the default cache, and read again for files whose size or time
    has changed.

    Args:
        folder: where the files lie.
        names: the files, relative to it.
        progress: called now and then with (done, all) of those that are read.
        part: tells lists of files of one folder apart, whose headers are kept apart.

    Returns:
        (headers of the files that could be read, their positions among the names, those that could
        not be read).
    """
    place = _place(folder, part)
    keys = np.fromiter((_hashed(name) for name in names), np.uint64, len(names))
    stats = np.empty((len(names), 2), np.int64)
    for position, name in enumerate(names):
        stats[position] = _status(folder, name)
    kept = load_arrays(place, ("keys", "stats", "shapes", "ways"))
    shapes, ways = np.zeros((len(names), 2), np.int32), np.zeros(len(names), np.uint8)
    if kept is not None and len(kept["keys"]):
        at = np.searchsorted(kept["keys"], keys).clip(max=len(kept["keys"]) - 1)
        same = (kept["keys"][at] == keys) & (kept["stats"][at] == stats).all(axis=1)
        shapes[same], ways[same] = kept["shapes"][at[same]], kept["ways"][at[same]]
    wanted = np.flatnonzero(ways == 0)
    bad: list[BadImage] = []
    whole = np.ones(len(names), bool)
    results = ordered_map(lambda at: read_size(f"{folder}/{names[int(at)]}"), wanted)
    for count, (position, result) in enumerate(zip(wanted.tolist(), results, strict=True), 1):
        if isinstance(result, Exception):
            whole[position] = False
            bad.append(BadImage.of(f"{folder}/{names[position]}", reason_of(result)))
        else:
            shapes[position], ways[position] = result[:2], result[2]
        if progress and (count % 256 == 0 or count == len(wanted)):
            progress(count, len(wanted))
    if len(wanted):
        order = np.argsort(keys[whole], kind="stable")
        save_arrays(
            place,
            keys=keys[whole][order],
            stats=stats[whole][order],
            shapes=shapes[whole][order],
            ways=ways[whole][order],
        )
    positions = np.flatnonzero(whole)
    return Headers(shapes[positions], ways[positions]), positions, bad


def _place(folder: Path, part: str) -> Path:
    digest = hashlib.sha256(os.fsencode(folder.resolve()) + part.encode()).hexdigest()[:16]
    return default_cache() / "headers" / f"{as_text(folder.resolve().name)}-{digest}.npz"


def _hashed(name: str) -> int:
    digest = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8)
    return int.from_bytes(digest.digest(), "little")


def _status(folder: Path, name: str) -> tuple[int, int]:
    try:
        status = os.stat(f"{folder}/{name}")  # noqa: PTH116, a path object takes as long again
    except OSError:
        return -1, -1
    return status.st_size, status.st_mtime_ns


def load_arrays(place: Path, names: Sequence[str]) -> dict[str, NDArray[Any]] | None:
    """The arrays that `save_arrays` kept; None for nothing, or for a file that is damaged."""
    try:
        with np.load(place) as file:
            kept = {name: file[name] for name in names}
    except (OSError, ValueError, KeyError, EOFError):
        return None
    except Exception:  # zipfile.BadZipFile
        return None
    return kept


def save_arrays(place: Path, **arrays: Any) -> None:
    """Keep arrays; a cache that cannot be written costs time, no result."""
    try:
        place.parent.mkdir(parents=True, exist_ok=True)

        def write(working: Path) -> None:
            with open(working, "wb") as file:
                np.savez(file, **arrays)

        write_whole(place, write)
    except OSError:
        pass
