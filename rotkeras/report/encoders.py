"""The files that leave a run: encoders, with size, speed and accuracy."""

import statistics
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rotkeras.embedding import Encoder
from rotkeras.page import Cell, Table
from rotkeras.report.gathering import Gathered

_TIMED = 10


def encoder_table(run: Gathered, encoder: Encoder | None, images: NDArray[np.uint8] | None) -> Table | None:
    """The encoder files of a run; the loaded one is timed here and now on these images."""
    entries = (run.summary or {}).get("encoder") or {}
    rows = []
    for file, entry in (
        (run.run.path / "encoder.keras", entries.get("best")),
        (run.run.path / "encoder-last.keras", entries.get("last")),
    ):
        if not file.exists():
            continue
        timed = encoder is not None and images is not None and encoder.path == file
        row = [
            file.name,
            _size(file),
            entry["tap"] if entry else None,
            entry["epoch"] if entry else None,
            Cell(f"{100 * entry['value']:.1f}", entry["value"], title=entry["measure"])
            if entry and entry["measure"] != "epoch"
            else None,
            encoder.dimensions if timed and encoder else None,
            _speed(encoder, images) if timed and encoder and images is not None else None,
        ]
        rows.append(row)
    if not rows:
        return None
    measure = next((entry["measure"] for entry in entries.values() if entry and entry["measure"] != "epoch"), None)
    if measure is None:  # without labels and validation there is no score
        rows = [[*row[:4], *row[5:]] for row in rows]
    score = [f"{measure}, online, %"] if measure else []
    headings = ["file", "size", "tap", "epoch", *score, "dimensions", "ms per image"]
    key = {"ms per image": "median of ten passes over a batch on this machine, by Keras; measured while the page was made"}
    return Table("Encoders: uint8 images in, one vector per image out; they load with Keras alone.", headings, rows, key=key)


def _speed(encoder: Encoder, images: NDArray[np.uint8]) -> Cell:
    batch = np.resize(images, (encoder.images_per_batch, *images.shape[1:]))
    encoder.forward(batch)
    times = []
    for _ in range(_TIMED):
        start = time.perf_counter()
        encoder.forward(batch)
        times.append(1000 * (time.perf_counter() - start) / len(batch))
    return Cell(f"{statistics.median(times):.2f}", statistics.median(times))


def _size(path: Path) -> Cell:
    count = path.stat().st_size
    return Cell(f"{count / 1e6:.2f} MB" if count >= 1e5 else f"{count / 1e3:.1f} kB", count)
