"""The files that leave a run: encoders, with size, speed and accuracy."""

import dataclasses
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rotkeras.embedding import Encoder
from rotkeras.files import read_json
from rotkeras.page import Cell, Table
from rotkeras.probes.choice import describe
from rotkeras.report.collect import Gathered
from rotkeras.text import readable_size


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
    """Embed images uint8 (n, S, S, 3) in one timed pass; the encoder that comes back gives their
    features without another."""
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
            (
                Cell(f"{100 * entry['value']:.1f}", entry["value"], title=entry["measure"])
                if entry and entry["measure"] != "epoch"
                else None
            ),
            timed.encoder.dimensions if timed else None,
            Cell(f"{timed.milliseconds:.2f}", timed.milliseconds) if timed else None,
        ]
        rows.append(row)
    if not rows:
        return None
    measure = next(
        (entry["measure"] for entry in entries.values() if entry and entry["measure"] != "epoch"),
        None,
    )
    if measure is None:  # without labels and validation there is no score
        rows = [[*row[:4], *row[5:]] for row in rows]
    score = [f"{measure}, online, %"] if measure else []
    headings = ["file", "size", "tap", "epoch", *score, "dimensions", "ms per image"]
    key = {
        "ms per image": (
            "by Keras in batches, on the machine and at the time at which this page was made"
        )
    }
    return Table(
        "Encoders: uint8 images in, one vector per image out; they load with Keras alone.",
        headings,
        rows,
        key=key,
    )


def about_tap(run: Gathered) -> str:
    """Sentences on the tap of `encoder.keras`, if the validation images do not decide it."""
    best = ((run.summary or {}).get("encoder") or {}).get("best") or {}
    return describe(best["tap"], best) if best else ""


def export_table(run: Gathered) -> Table | None:
    """The exported files of a run with their proof, from the `verify.json` of `rotkeras export`;
    None without an export."""
    file = run.run.export / "verify.json"
    try:
        proof = read_json(file)
        rows, headings = _exported(proof)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError):
        run.notes.append(
            "export/verify.json could not be read and is left out; make it again with rotkeras"
            " export."
        )
        return None
    if not rows:
        return None
    asked = "classes" if proof["probes"]["ask"] == "classes" else "by how much an image was turned"
    words = (
        "and the columns after it: accuracy from the file, by probes of Keras' embeddings that"
        f" predict {asked}, or by the network's own prediction; in brackets the drop against Keras"
        " in points, negative for a gain"
    )
    key = {
        "ms": (
            f"median of single images on one thread of {proof['machine']['processor']}, while the"
            " export was proven"
        ),
        "cosine": "similarity of embeddings to those of Keras, mean over held-out images",
        headings[4]: words,
    }
    caption = (
        f"Exported files (tap {proof['encoder']['tap']}), each compared with Keras on"
        f" {proof['held_out']['images']:,} held-out images; they lie in export/."
    )
    if found := proof.get("candidates"):
        caption += (
            f" Of {len(found['records'])} files that were made and compared,"
            f" {found['recommended']} is recommended for {found['aim']}: {found['why']}."
        )
    return Table(caption, headings, rows, key=key)


def _exported(proof: dict[str, Any]) -> tuple[list[list[Any]], list[str]]:
    files = dict(proof["files"])
    kept = {each["profile"] for each in files.values()}
    for each in (proof.get("candidates") or {}).get("records", []):
        if each["profile"] not in kept:
            files[f"{each['profile']} (not kept)"] = each
    probes = list(dict.fromkeys(name for each in files.values() for name in each["drops"]))
    rows: list[list[Any]] = []
    for name, each in files.items():
        # Older exports name it likeness.
        similar = (each.get("agreement") or each.get("likeness", {})).get("cosine")
        row = [
            name,
            _bytes(each["bytes"]),
            Cell(f"{each['milliseconds']:.2f}", each["milliseconds"]),
            None if similar is None else Cell(f"{similar:.5f}", similar),
        ]
        for probe in probes:
            drop = each["drops"].get(probe)
            text = (
                ""
                if drop is None
                else f"{100 * drop['file']:.1f} (drop {drop['drop']:+.1f})".replace("-", "−")
            )
            row.append(
                None
                if drop is None
                else Cell(text, drop["file"], title=f"± {drop['margin']:.1f} points")
            )
        rows.append(row)
    if "saved_model" in proof and rows:
        rows.append(
            ["saved_model", _bytes(proof["saved_model"]["bytes"]), *[None] * (len(rows[0]) - 2)]
        )
    return rows, ["file", "size", "ms", "cosine", *(f"{probe}, %" for probe in probes)]


def _size(path: Path) -> Cell:
    return _bytes(path.stat().st_size)


def _bytes(count: int) -> Cell:
    return Cell(readable_size(count), count)
