"""Golden pairs: whether a file answers on this device as it did where it was exported."""

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rotkeras.device.arguments import check_path, check_whole
from rotkeras.device.tflite_file import TFLiteFile
from rotkeras.errors import UserError, brief
from rotkeras.files import expanded


@dataclass(frozen=True)
class GoldenCheck:
    """How far a file's answers are from its golden ones.

    Attributes:
        file: the name of the file.
        error: the largest difference of a number: in steps of an integer output, else in its own
            unit.
        tolerance: the largest that is let pass.
        intact: whether the file is the one that was exported, by its SHA-256.
        passed: whether it is, and `error` is at most `tolerance`.
    """

    file: str
    error: float
    tolerance: float
    intact: bool

    @property
    def passed(self) -> bool:
        """Whether the file is intact and the difference within the tolerance."""
        return self.intact and self.error <= self.tolerance


def check_golden(folder: str | os.PathLike[str], threads: int | None = None) -> list[GoldenCheck]:
    """Run every TFLite file of an export on its golden images, and compare.

    Args:
        folder: that `rotkeras export` wrote, with `golden/` in it.
        threads: of the CPU, 1 when None.

    Returns:
        One `GoldenCheck` for each file that is there: a device has few of them.

    Raises:
        UserError: when the folder holds no golden pairs or none of their files, and for a file that
            cannot be run.
    """
    check_path("folder", folder)
    check_whole("threads", threads, optional=True)
    place = expanded(folder) / "golden"
    try:
        record: dict[str, Any] = json.loads((place / "golden.json").read_text(encoding="utf-8"))
        images = _read(place, record["images"])
        expected = {name: _read(place, each) for name, each in record["answers"].items()}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{str(place)!r} holds no intact golden pairs ({brief(error)}). Give a folder that"
            " rotkeras export wrote."
        ) from error
    checks = []
    there = {name: answers for name, answers in expected.items() if (place.parent / name).exists()}
    if not there:
        raise UserError(
            f"{str(place.parent)!r} must hold one of {', '.join(expected)} to check; copy one"
            " beside golden/."
        )
    for name, answers in there.items():
        each = record["answers"][name]
        file = TFLiteFile(place.parent / name, threads)
        given = [
            file.run(each["signature"], dequantized=False, images=image[None])[each["output"]]
            for image in images
        ]
        intact = hashlib.sha256((place.parent / name).read_bytes()).hexdigest() == each["sha256"]
        difference = float(
            np.abs(np.concatenate(given).astype(np.float64) - answers.astype(np.float64)).max()
        )
        checks.append(GoldenCheck(name, difference, float(each["tolerance"]), intact))
    return checks


def _read(place: Path, entry: dict[str, Any]) -> Any:
    dtype = np.dtype(entry["dtype"]).newbyteorder("<")
    return np.frombuffer((place / entry["file"]).read_bytes(), dtype).reshape(entry["shape"])
