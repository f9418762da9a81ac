"""Digests of single images, kept in a file, from which an error can name the images that have
changed."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rotkeras.data.fingerprint import hashed_positions
from rotkeras.data.source import Images, Source


def digests(source: Source) -> dict[str, NDArray[np.uint32]]:
    """The digests of a source's images, for an `.npz` file: eight bytes an image.

    Returns:
        {"train_pixels": uint32 (n,), "train_names": uint32 (N,) where the images have names}, and
        the same of "validation" where there is such a part.
    """
    found = {}
    for part, images in _parts(source):
        fingerprint = images.fingerprint()
        found[f"{part}_pixels"] = fingerprint.pixels
        if fingerprint.names is not None:
            found[f"{part}_names"] = fingerprint.names
    return found


def examples(file: Path, source: Source, pixels: bool = True) -> str:
    """Some of the images that differ from those whose digests are in a file, in words.

    Args:
        file: what `digests` gave, written by `numpy.savez`.
        source: the images as they are now.
        pixels: whether to name images of other pixels where the names are the same.

    Returns:
        Such as "; new: 'cat/9.jpg' and 3 more; gone: 1" or "; changed: 'cat/1.jpg'". Empty when the
        file cannot be read or nothing differs.
    """
    try:
        with np.load(file) as kept:
            then = dict(kept)
    except (OSError, ValueError, zipfile.BadZipFile):
        return ""
    return _names_differ(then, source) or (_pixels_differ(then, source) if pixels else "")


def _names_differ(then: dict[str, Any], source: Source) -> str:
    parts = _parts(source)
    before = [then[key] for key in ("train_names", "validation_names") if key in then]
    now: list[Any] = [images.fingerprint().names for _, images in parts]
    count = sum(len(images) for _, images in parts)
    complete = source.found in (None, count)
    if (
        not before or any(names is None for names in now) or not complete
    ):  # of a draw, the others are not known
        return ""
    known = np.concatenate(before)
    new: list[str] = []
    for (_, images), names in zip(parts, now, strict=True):
        new += _named(images, np.flatnonzero(~np.isin(names, known)))
    gone = int(np.count_nonzero(~np.isin(known, np.concatenate(now))))
    listed = f"; new: {_some(new)}" if new else ""
    return f"{listed}; gone: {gone:,}" if gone else listed


def _pixels_differ(then: dict[str, Any], source: Source) -> str:
    changed: list[str] = []
    for part, images in _parts(source):
        before, now = then.get(f"{part}_pixels"), images.fingerprint().pixels
        if before is not None and len(before) == len(now):
            changed += _named(images, hashed_positions(images)[now != before])
    return f"; changed: {_some(changed)}" if changed else ""


def _parts(source: Source) -> list[tuple[str, Images]]:
    parts = [("train", source.train), ("validation", source.validation)]
    return [(name, images) for name, images in parts if images is not None]


def _named(images: Images, positions: NDArray[np.int64]) -> list[str]:
    names = images.names
    rows = images.rows[positions].tolist()
    return [f"no. {row}" if names is None else repr(names[row]) for row in rows]


def _some(names: list[str]) -> str:
    first = min(names)
    return first if len(names) == 1 else f"{first} and {len(names) - 1:,} more"
