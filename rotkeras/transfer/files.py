"""Exported files, run as a device runs them."""

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from rotkeras.device.tflite_file import TFLiteFile

Answer = TypeVar("Answer")


def timed(
    path: Path, signature: str, images: Iterable[Any], reduce: Callable[[dict[str, Any]], Answer]
) -> tuple[list[Answer], list[float]]:
    """What a file gives for images, one at a time on one thread, and the seconds of each.

    Args:
        path: a TFLite file.
        signature: to run.
        images: uint8 (1, H, W, 3) each.
        reduce: what is kept of the outputs of an image: raw ones of a whole test part would fill
            the memory.
    """
    file = TFLiteFile(path)
    found, seconds = [], []
    for image in images:
        started = time.perf_counter()
        made = file.run(signature, images=image)
        seconds.append(time.perf_counter() - started)
        found.append(reduce(made))
    return found, seconds
