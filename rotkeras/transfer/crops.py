"""What views of boxes and of masks have in common: reading a box of a photograph, in threads."""

import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rotkeras.data.decode import passes, reason_of
from rotkeras.errors import UserError
from rotkeras.files import as_text
from rotkeras.images import read_crop


def read_view(
    path: Path, box: tuple[float, float, float, float], size: Any, shape: Any, flip: bool
) -> NDArray[np.uint8]:
    """A box of a photograph, resized and perhaps mirrored: `rotkeras.images.read_crop`.

    Raises:
        UserError: for a file that cannot be read any more.
    """
    height, width, way = (int(each) for each in shape)
    try:
        return read_crop(path, box, size, (height, width, way), flip)
    except Exception as error:
        if isinstance(error, MemoryError) or passes(error):
            raise
        raise UserError(
            f"{as_text(str(path))} could not be read as an image ({reason_of(error)}). Repair or"
            " remove it, and start again."
        ) from error


@cache
def threads() -> ThreadPoolExecutor:
    """Those that read photographs, one for each core."""
    return ThreadPoolExecutor(os.cpu_count() or 1, "photographs")
