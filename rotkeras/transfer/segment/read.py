"""Sets of masks, read from a path alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from rotkeras.arguments.accepted import AnyPath
from rotkeras.arguments.checked import checked
from rotkeras.data.decode import ordered_map, reason_of
from rotkeras.errors import UserError
from rotkeras.files import as_text, expanded
from rotkeras.images import read_crop, read_size
from rotkeras.transfer.class_file import names_of
from rotkeras.transfer.faults import Faults
from rotkeras.transfer.segment.colours import VOC_NAMES
from rotkeras.transfer.segment.layouts import Layout, Pair, find_layout
from rotkeras.transfer.segment.masks import (
    MOST_CLASSES,
    VOID,
    MaskedImages,
    MaskError,
    classes_of,
    read_mask,
)

_CLASS_FILES = ("classes.txt", "labels.txt")

BAD_IMAGE = "images could not be read (left out)"
NO_CLASS = "masks have indices that are no class (those pixels become void)"
ALL_VOID = "masks are void everywhere (left out)"


@dataclass(frozen=True, eq=False)
class MaskedParts:
    """A set of masks as it was read.

    Attributes:
        parts: "train", and "validation" and "test" where the set has them.
        class_names: of all parts, by index.
        notes: lines on which layout was recognised and what was guessed.
    """

    parts: dict[str, MaskedImages]
    class_names: tuple[str, ...]
    notes: tuple[str, ...]


@checked
def read_masks(
    folder: AnyPath,
    *,
    faults: Faults,
    class_names: Sequence[str] | None = None,
    void: Annotated[int, Field(ge=0, le=255)] = VOID,
) -> MaskedParts:
    """Read a set of photographs and masks; every file is opened once and looked at.

    Layouts: one year of a VOCdevkit or a folder that holds one (train.txt and val.txt, or
    trainval.txt for training; test.txt), and folders `images` and `masks` (or `labels`, or
    `annotations`) with files of the same names, with or without `train`, `val` and `test` above or
    below these. Classes are those given, or the lines of `classes.txt` or `labels.txt`, or those of
    PASCAL VOC where its layout holds all 21, or else numbers up to the highest index of training.

    Args:
        folder: of the set.
        faults: takes what is wrong: images without a mask and masks without an image, files that
            cannot be read, masks of another size than their image, in colours of their own, with
            indices that are no class, or void everywhere, and images that are named twice.
        class_names: by index, at most 255; None to find them.
        void: the index of pixels without a class in the files.

    Raises:
        UserError: for a folder of another layout, for names that are empty or given twice, for a
            set without training images or with fewer than two classes, and at the first fault where
            `faults` says so.
    """
    layout = find_layout(expanded(folder), faults)
    notes = [f"{layout.description} is recognised", *layout.notes]
    read = {part: _read_part(pairs, faults) for part, pairs in layout.parts.items()}
    names = _class_names(layout, read.get("train", []), class_names, void, notes)
    _check_names(class_names, names, layout, read.get("train", []), void)
    parts = {}
    for part, found in read.items():
        if kept := _kept(found, len(names), void, faults):
            parts[part] = MaskedImages(
                tuple(each.pair.image for each in kept),
                np.array([each.shape for each in kept], np.int32),
                tuple(each.pair.mask for each in kept),
                names,
                void,
            )
    if "train" not in parts:
        raise UserError(
            f"The set {as_text(str(folder))!r} has no image of training with a mask that can be"
            f" used ({'; '.join(faults.lines()) or 'its lists or folders are empty'})."
            " Give another, or fix it."
        )
    return MaskedParts(parts, names, tuple(notes))


class _Found(NamedTuple):
    """A pair that can be read: `counts`, int64 (256,), has how many pixels are of each index."""

    pair: Pair
    shape: tuple[int, int, int]
    counts: NDArray[np.int64]


def _read_part(pairs: list[Pair], faults: Faults) -> list[_Found]:
    found = []
    for pair, result in zip(pairs, ordered_map(_look, pairs), strict=True):
        if isinstance(result, MaskError):
            faults.add(result.kind, as_text(str(pair.mask)))
        elif isinstance(result, Exception):
            faults.add(BAD_IMAGE, f"{as_text(str(pair.image))} ({reason_of(result)})")
        else:
            found.append(result)
    return found


def _look(pair: Pair) -> _Found:
    """Read a pair; whatever is raised but a `MaskError` is the photograph's."""
    shape = read_size(pair.image)
    height, width, _ = shape
    # The whole file, at the least cost: one that ends early would else stop training later.
    read_crop(pair.image, (0, 0, height, width), (8, 8), shape)
    mask = read_mask(pair.mask, shape)
    return _Found(pair, shape, np.bincount(mask.ravel(), minlength=256))


def _kept(found: list[_Found], classes: int, void: int, faults: Faults) -> list[_Found]:
    """Those with a pixel that has a class."""
    is_class = classes_of(classes, void) != VOID
    no_class = ~is_class
    no_class[void] = False
    kept = []
    for each in found:
        if each.counts[no_class].any():
            wrong = ", ".join(map(str, np.flatnonzero(each.counts * no_class)[:5]))
            faults.add(NO_CLASS, f"{as_text(str(each.pair.mask))} ({wrong})")
        if each.counts[is_class].any():
            kept.append(each)
        else:
            faults.add(ALL_VOID, as_text(str(each.pair.mask)))
    return kept


def _class_names(
    layout: Layout,
    training: list[_Found],
    given: Sequence[str] | None,
    void: int,
    notes: list[str],
) -> tuple[str, ...]:
    there = sum((each.counts for each in training), np.zeros(256, np.int64))
    there[void] = 0
    indices = np.flatnonzero(there)
    if len(training) and len(indices) < 2:
        raise UserError(
            f"The masks of {as_text(str(layout.home))!r} hold one class"
            f" ({', '.join(map(str, indices)) or 'none'}) and void ({void}). Masks of two classes"
            " are of 0 and 1: divide those of 0 and 255 by 255, or name the void index."
        )
    if given is not None:
        return _checked(given, "class_names")
    for name in _CLASS_FILES:
        if (layout.home / name).is_file():
            notes.append(f"class names are those of {name}")
            return _read_names(layout.home / name)
    if layout.is_voc and np.array_equal(indices, np.arange(len(VOC_NAMES))):
        notes.append(f"class names are PASCAL VOC's: the masks hold all {len(VOC_NAMES)}")
        return VOC_NAMES
    highest = int(indices.max(initial=0))
    if highest >= MOST_CLASSES:
        raise UserError(
            f"The masks of {as_text(str(layout.home))!r} have the index {highest}; classes are"
            f" 0 … {MOST_CLASSES - 1}. Give class_names, so that other indices become void."
        )
    notes.append(
        f"class names are not given: numbers up to {highest}, the highest index of training"
    )
    return tuple(map(str, range(highest + 1)))


def _check_names(
    given: Sequence[str] | None,
    names: tuple[str, ...],
    layout: Layout,
    train: list[_Found],
    void: int,
) -> None:
    """Raise a `UserError` for given names that would give masks of other classes their names."""
    if given is None:
        return
    counts = sum((each.counts for each in train), np.zeros(256, np.int64))
    counts[void] = 0
    there = np.flatnonzero(counts)
    highest = int(there[-1]) if len(there) else 0
    if highest >= len(names):
        raise UserError(
            f"data.classes has {len(names)} names, and the masks have indices up to {highest}. Name"
            " all of them in the order of their indices; some cannot be chosen."
        )
    for file in (layout.home / "classes.txt", layout.home / "labels.txt"):
        if file.is_file() and tuple(names_of(file)) != names:
            raise UserError(
                f"data.classes differs from {as_text(str(file))}, which has"
                f" {', '.join(names_of(file))}. Give these, in this order, or remove data.classes."
            )


def _read_names(file: Path) -> tuple[str, ...]:
    """The class of each line."""
    return _checked(names_of(file), as_text(str(file)))


def _checked(names: Sequence[str], what: str) -> tuple[str, ...]:
    """The names; a `UserError` for too few or many, empty ones, and those given twice."""
    twice = sorted({name for name in names if list(names).count(name) > 1})
    if not 2 <= len(names) <= MOST_CLASSES or twice or not all(map(str.strip, names)):
        wrong = f"{twice[0]!r} twice" if twice else f"{len(names)}"
        raise UserError(
            f"{what} must have 2 to {MOST_CLASSES} names of classes by index, each once and none"
            f" empty, got {wrong}. Correct them."
        )
    return tuple(names)
