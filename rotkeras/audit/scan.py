"""One pass over all images: each is decoded once, and little of it is kept."""

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import UnidentifiedImageError

from rotkeras.audit import fingerprints
from rotkeras.audit.collection import Collection, Picture
from rotkeras.audit.corners import empty_corners
from rotkeras.data.decode import Progress, ordered_map
from rotkeras.data.source import BadImage
from rotkeras.errors import UserError

_CHUNK = 256


@dataclass(frozen=True, eq=False)
class Scan:
    """What was kept of all images: some 300 bytes each, and the pixels of a draw.

    Attributes:
        positions: int64 (n,), which images of the collection could be read; the rows of all that
            follows.
        shapes: int64 (n, 2), width and height of the upright pictures.
        orientations: int64 (n,), 1 … 8 of the EXIF standard.
        corners: bool (n,), whether the corners are empty as a rotation leaves them.
        digests: uint64 (n, 2), see `fingerprints.digests`.
        thumbnails: uint8 (n, 16, 16).
        drawn: int64 (d,), the rows whose pixels were kept.
        pixels: uint8 (d, S, S, 3).
        skipped: what could not be read.
    """

    positions: NDArray[np.int64]
    shapes: NDArray[np.int64]
    orientations: NDArray[np.int64]
    corners: NDArray[np.bool_]
    digests: NDArray[np.uint64]
    thumbnails: NDArray[np.uint8]
    drawn: NDArray[np.int64]
    pixels: NDArray[np.uint8]
    skipped: list[BadImage]


def scan(
    collection: Collection, images: int, seed: int = 0, progress: Progress | None = None
) -> Scan:
    """Read all images of a collection once.

    Args:
        collection: of `open_collection`.
        images: how many, drawn from those to train on, keep their pixels.
        seed: of the draw.
        progress: called with (images read, images in all).

    Raises:
        UserError: when no image could be read.
    """
    eligible = np.flatnonzero(collection.trained_on)
    wanted = np.zeros(len(collection), bool)
    wanted[np.random.default_rng(seed).permutation(eligible)[:images]] = True
    positions: list[int] = []
    heads: list[tuple[int, int, int]] = []
    parts: list[tuple[NDArray[np.bool_], NDArray[np.uint64], NDArray[np.uint8]]] = []
    drawn: list[int] = []
    pixels: list[NDArray[np.uint8]] = []
    skipped = list(collection.unreadable)
    waiting: list[NDArray[np.uint8]] = []

    def take_in() -> None:
        if waiting:
            batch = np.stack(waiting)
            parts.append(
                (empty_corners(batch), fingerprints.digests(batch), fingerprints.thumbnails(batch))
            )
            waiting.clear()

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # damaged EXIF blocks warn once a file
        for position, result in enumerate(ordered_map(collection.read, range(len(collection)))):
            if isinstance(result, Picture):
                if wanted[position]:
                    drawn.append(len(positions))
                    pixels.append(result.pixels)
                positions.append(position)
                heads.append((result.width, result.height, result.orientation))
                waiting.append(result.pixels)
            else:
                skipped.append(BadImage(collection.names[position], _reason(result)))
            if len(waiting) == _CHUNK:
                take_in()
            if progress and (position % 64 == 63 or position + 1 == len(collection)):
                progress(position + 1, len(collection))
    take_in()
    if not positions:
        raise UserError(
            f"None of the {len(collection):,} image files of {collection.name} could be read; the"
            f" first: {skipped[0].path} ({skipped[0].reason}): give a folder of whole images."
        )
    head = np.array(heads, np.int64)
    corners, digests, thumbnails = (np.concatenate(each) for each in zip(*parts, strict=True))
    kept = (
        np.stack(pixels) if pixels else np.empty((0, collection.size, collection.size, 3), np.uint8)
    )
    return Scan(
        np.array(positions, np.int64), head[:, :2], head[:, 2], corners, digests, thumbnails,
        np.array(drawn, np.int64), kept, skipped,
    )  # fmt: skip


def _reason(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "its content is not an image"
    return " ".join(str(error).split()) or type(error).__name__
