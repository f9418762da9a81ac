"""Decoded images in memory, or kept on disk and memory-mapped, so that the next run starts at once."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rotkeras.data.source import BadImage
from rotkeras.errors import UserError

Fill = Callable[[NDArray[np.uint8]], tuple[list[int], list[BadImage]]]


def available_memory() -> int:
    """Bytes of memory that can be used without swapping; a very large number where the system does not say."""
    try:
        with open("/proc/meminfo") as file:
            for line in file:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 1 << 62


def memory_array(shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """An empty uint8 array (N, H, W, 3) in memory; a `UserError` when it does not fit."""
    need = int(np.prod(shape, dtype=np.int64))
    if need > 0.8 * (free := available_memory()):
        raise UserError(
            f"{shape[0]} images of {shape[1]}×{shape[2]} pixels need {need / 2**30:.1f} GiB of memory, and {free / 2**30:.1f} GiB "
            f"are free: set data.image_size smaller, or, for a folder of images, data.cache to a folder on disk."
        )
    return np.empty(shape, np.uint8)


def cached_array(
    shape: tuple[int, ...],
    fill: Fill,
    cache: str | Path | None,
    title: str,
    stamp: Sequence[str],
) -> tuple[NDArray[np.uint8], list[int], list[BadImage]]:
    """An array of decoded images, filled now or found from an earlier time.

    Args:
        shape: (N, H, W, 3), N the number of items before any is skipped.
        fill: fills the array from row 0 and returns (positions kept, bad images).
        cache: folder on disk to keep it in, or None to hold it in memory.
        title: the beginning of the file's name.
        stamp: what the content depends on; another stamp is another file.

    Returns:
        (uint8 array of the rows kept, positions kept, bad images).

    Raises:
        UserError: when the images do not fit in memory and no cache folder is given.
    """
    if cache is None:
        array = memory_array(shape)
        kept, bad = fill(array)
        return array[: len(kept)], kept, bad

    key = hashlib.sha256("\n".join(stamp).encode()).hexdigest()[:16]
    home = Path(cache).expanduser() / f"{title}-{key}"
    if not home.is_dir():
        mine = os.getpid()
        _sweep(home, mine)
        working = home.with_name(f"{home.name}.{mine}.part")
        try:
            working.mkdir(parents=True)
        except OSError as error:
            raise UserError(
                f"data.cache: {str(cache)!r} cannot be written to ({(error.strerror or str(error)).lower()}): give a folder."
            ) from None
        try:
            _write(working, shape, fill)
            working.rename(home)  # whole or not at all
        except OSError:
            if not home.is_dir():  # else another process was first, with the same images
                raise
        finally:
            shutil.rmtree(working, ignore_errors=True)
    index = json.loads((home / "index.json").read_text())
    bad = [BadImage(**each) for each in index["bad"]]
    kept = index["kept"]
    array = np.lib.format.open_memmap(home / "images.npy", mode="r")
    return array[: len(kept)], kept, bad


def _sweep(home: Path, mine: int) -> None:
    """Remove what processes that were killed left unfinished."""
    for left in home.parent.glob(f"{home.name}.*.part"):
        process = left.name.split(".")[-2]
        if process.isdigit() and (int(process) == mine or not _alive(int(process))):
            shutil.rmtree(left, ignore_errors=True)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _write(folder: Path, shape: tuple[int, ...], fill: Fill) -> None:
    array = np.lib.format.open_memmap(folder / "images.npy", mode="w+", dtype=np.uint8, shape=shape)
    kept, bad = fill(array)
    array.flush()
    (folder / "index.json").write_text(json.dumps({"kept": kept, "bad": [vars(each) for each in bad]}))
