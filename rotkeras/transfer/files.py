"""Exported files, run as a device runs them."""

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rotkeras.device.tflite_file import TFLiteFile


def timed(
    path: Path, signature: str, images: Iterable[Any]
) -> tuple[list[dict[str, Any]], list[float]]:
    """What a file gives for images, one at a time on one thread, and the seconds of each.

    Args:
        path: a TFLite file.
        signature: to run.
        images: uint8 (1, H, W, 3) each.
    """
    file = TFLiteFile(path)
    found, seconds = [], []
    for image in images:
        started = time.perf_counter()
        found.append(file.run(signature, images=image))
        seconds.append(time.perf_counter() - started)
    return found, seconds
