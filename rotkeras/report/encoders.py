"""The files that leave a run: encoders, with size, speed and accuracy."""

import dataclasses
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rotkeras.embedding import Encoder
from rotkeras.page import Cell, Table
from rotkeras.report.gathering import Gathered


@dataclass(frozen=True, eq=False)
class Embedded:
    """What an encoder gave for some images, and how long it took.

    Attributes:
        encoder: it, with a `forward` that remembers these images.
        features: float32 (n, d).
        milliseconds: per image, in whole batches.
    """

    encoder: Encoder
    features: NDArray[np.float32]
    milliseconds: float


def embed_once(encoder: Encoder, images: NDArray[np.uint8]) -> Embedded:
    """Embed images uint8 (n, S, S, 3) in one timed pass; the encoder that comes back gives their features without another."""
    start = time.perf_counter()
    features = encoder.embed(images)
    batches = -(-len(images) // encoder.images_per_batch)
    milliseconds = 1000 * (time.perf_counter() - start) / (batches * encoder.images_per_batch)
    known = {image.tobytes(): feature for image, feature in zip(images, features, strict=True)}
    unknown = np.zeros(encoder.dimensions, np.float32)  # of what fills the last batch

    def forward(batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        return np.stack([known.get(image.tobytes(), unknown) for image in batch])

    return Embedded(dataclasses.replace(encoder, forward=forward), features, milliseconds)


def encoder_table(run: Gathered, embedded: Embedded | None = None) -> Table | None:
    """The encoder files of a run, with the time that one of them took."""
    entries = (run.summary or {}).get("encoder") or {}
    rows = []
    for file, entry in (
        (run.run.path / "encoder.keras", entries.get("best")),
        (run.run.path / "encoder-last.keras", entries.get("last")),
    ):
        if not file.exists():
            continue
        timed = embedded if embedded is not None and embedded.encoder.path == file else None
        row = [
            file.name,
            _size(file),
            entry["tap"] if entry else None,
            entry["epoch"] if entry else None,
            Cell(f"{100 * entry['value']:.1f}", entry["value"], title=entry["measure"])
            if entry and entry["measure"] != "epoch"
            else None,
            timed.encoder.dimensions if timed else None,
            Cell(f"{timed.milliseconds:.2f}", timed.milliseconds) if timed else None,
        ]
        rows.append(row)
    if not rows:
        return None
    measure = next((entry["measure"] for entry in entries.values() if entry and entry["measure"] != "epoch"), None)
    if measure is None:  # without labels and validation there is no score
        rows = [[*row[:4], *row[5:]] for row in rows]
    score = [f"{measure}, online, %"] if measure else []
    headings = ["file", "size", "tap", "epoch", *score, "dimensions", "ms per image"]
    key = {"ms per image": "by Keras in batches, on the machine and at the time at which this page was made"}
    return Table("Encoders: uint8 images in, one vector per image out; they load with Keras alone.", headings, rows, key=key)


def _size(path: Path) -> Cell:
    count = path.stat().st_size
    return Cell(f"{count / 1e6:.2f} MB" if count >= 1e5 else f"{count / 1e3:.1f} kB", count)
