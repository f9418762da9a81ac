"""Golden pairs: a few images and what each file answers to them, as raw numbers that any language
can read."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rotkeras.device.tflite_file import TFLiteFile
from rotkeras.export.profiles import Profile
from rotkeras.files import write_json, write_whole

FOLDER, IMAGES = "golden", 4
_STEPS, _SHARE, _PROBABILITY = 6, 1e-3, 0.05


def write_golden(folder: Path, files: Mapping[str, Profile], images: NDArray[np.uint8]) -> None:
    """Write `golden/`: `images.bin`, one `.bin` of answers for each file, and `golden.json`, which
    says how to read them.

    Args:
        folder: where the files lie.
        files: file name -> profile.
        images: uint8 (n, S, S, 3); the first four are kept.

    The answers are the file's own numbers (int8 ones as integers), made on one thread. Another
    processor may round otherwise: `golden.json` gives the tolerance: 6 steps of 8 bits, 0.05 of a
    quantised probability (a softmax widens steps), or for files that compute in floats a thousandth
    of the largest number. TFLite's reference kernels differ from XNNPACK's by less than half.
    """
    images = np.ascontiguousarray(images[:IMAGES])
    place = folder / FOLDER
    place.mkdir(exist_ok=True)
    _write(place / "images.bin", images)
    record: dict[str, Any] = {
        "images": {
            "file": "images.bin",
            "dtype": "uint8",
            "shape": list(images.shape),
            "order": "row-major, little-endian",
        },
        "answers": {},
    }
    for name, kind in files.items():
        signature, output = kind.answer
        file = TFLiteFile(folder / name, threads=1)
        answers = np.concatenate(
            [file.run(signature, dequantized=False, images=each[None])[output] for each in images]
        )
        tensor = file.outputs(signature)[output]
        whole = np.issubdtype(answers.dtype, np.integer)
        target = f"{Path(name).stem}.bin"
        _write(place / target, answers)
        record["answers"][name] = {
            "sha256": hashlib.sha256((folder / name).read_bytes()).hexdigest(),
            "signature": signature,
            "output": output,
            "file": target,
            "dtype": str(answers.dtype),
            "shape": list(answers.shape),
            "scale": tensor.scale,
            "zero_point": tensor.zero_point if tensor.scale is not None else None,
            "tolerance": _STEPS if whole else _tolerance(kind, answers),
        }
    write_json(place / "golden.json", record)


def _tolerance(kind: Profile, answers: NDArray[Any]) -> float:
    """Of floats: those of a quantised graph have its steps, whatever their dtype."""
    if kind.role == "predictor":
        return _PROBABILITY
    return float(np.abs(answers).max()) * (
        _SHARE if kind.numbers in ("float32", "float16") else _STEPS / 255
    )


def _write(path: Path, values: NDArray[Any]) -> None:
    write_whole(
        path,
        lambda working: working.write_bytes(
            np.ascontiguousarray(values).astype(values.dtype.newbyteorder("<")).tobytes()
        ),
    )
