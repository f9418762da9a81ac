"""The head of a learner as a file: its weights, and the encoder it belongs to."""

import hashlib
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rotkeras.errors import UserError, brief
from rotkeras.files import check_writable, expanded, write_whole


@dataclass(frozen=True, eq=False)
class Head:
    """What a learner knows.

    Attributes:
        weights: float32 (d, k), on standardised embeddings.
        bias: float32 (k,).
        classes: the k names, strings or whole numbers.
        embeddings: float32 (n, d) of the examples, or None.
        labels: int32 (n,), numbers in `classes`, or None.
    """

    weights: NDArray[np.float32]
    bias: NDArray[np.float32]
    classes: tuple[str | int, ...]
    embeddings: NDArray[np.float32] | None = None
    labels: NDArray[np.int32] | None = None


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_head(path: str | os.PathLike[str], head: Head, learner: Path) -> None:
    """Write a head to an `.npz`, whole or not at all.

    Args:
        path: where it is to be.
        head: the trained head.
        learner: the file it was trained with; its SHA-256 is kept, for the weights mean nothing to
            another encoder.

    Raises:
        UserError: for a path of another suffix, or that cannot be written.
    """
    place = check_writable(path, "path")
    if place.suffix != ".npz":
        raise UserError(
            f"{str(place)!r} must be the path of an .npz file, got the ending"
            f" {place.suffix or 'nothing'}."
        )
    arrays: dict[str, Any] = {
        "weights": head.weights,
        "bias": head.bias,
        "classes": np.asarray(head.classes),
        "dimensions": np.int64(len(head.weights)),
        "learner_sha256": np.asarray(sha256(learner)),
    }
    if head.embeddings is not None and head.labels is not None:
        arrays |= {"embeddings": head.embeddings, "labels": head.labels}
    try:
        write_whole(place, lambda working: np.savez(working, allow_pickle=False, **arrays))
    except OSError as error:
        raise UserError(
            f"{str(place)!r} cannot be written ({brief(error)}). Give another path."
        ) from error


def read_head(
    path: str | os.PathLike[str], learner: Path, dimensions: int, max_classes: int
) -> Head:
    """Read what `write_head` wrote.

    Args:
        path: of the `.npz`.
        learner: the learner file it is for.
        dimensions: d of that file.
        max_classes: how many classes that file has room for.

    Raises:
        UserError: for a file that is missing, is no head, or is the head of another learner file.
    """
    place = expanded(path)
    if not place.is_file():
        raise UserError(
            f"{str(place)!r} is not a file. Give the path of an .npz file that Learner.save_head"
            " wrote."
        )
    try:
        with np.load(place, allow_pickle=False) as file:
            held = {name: file[name] for name in file.files}
        fingerprint, names = str(held["learner_sha256"]), held["classes"]
        head = Head(
            held["weights"],
            held["bias"],
            tuple(names.tolist()),
            held.get("embeddings"),
            held.get("labels"),
        )
    except (
        KeyError,
        TypeError,
        ValueError,
        OSError,
        EOFError,
        zipfile.BadZipFile,
        AttributeError,
        NotImplementedError,
    ) as error:
        raise UserError(
            f"{str(place)!r} is not the head of a learner ({brief(error)}). Give an .npz file that"
            " Learner.save_head wrote."
        ) from error
    if fingerprint != (own := sha256(learner)):
        raise UserError(
            f"{str(place)!r} is the head of another encoder: it must come from {str(learner)!r}"
            f" (sha256 {own[:12]}…), got sha256 {fingerprint[:12]}…. Open it with its own encoder,"
            " or train a new head."
        )
    count = len(head.classes)
    fits = (
        0 < count <= max_classes
        and head.weights.shape == (dimensions, count)
        and head.bias.shape == (count,)
    )
    if fits and head.embeddings is not None:
        fits = (
            head.labels is not None
            and head.embeddings.shape == (len(head.labels), dimensions)
            and head.labels.max() < count
        )
    if not fits:
        raise UserError(
            f"{str(place)!r} is not an intact head: it must have weights ({dimensions}, k), bias"
            f" (k,) and k names, got {head.weights.shape}, {head.bias.shape} and {count}; save it"
            " again."
        )
    return head
