"""Boxes as annotation files write them, and what is made of them: each is held against its image,
and what does not fit is a named fault."""

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rotkeras.data.decode import ordered_map, reason_of
from rotkeras.errors import UserError, must
from rotkeras.files import as_text
from rotkeras.images import read_size
from rotkeras.transfer.detect.boxes import BoxedImages, Boxes
from rotkeras.transfer.faults import Faults

PARTS = ("train", "validation", "test")
"""In the order in which they are read."""


@dataclass(frozen=True)
class WrittenBox:
    """An object as it is written.

    Attributes:
        name: of its class.
        corners: left, top, right and bottom: 0-based edges, right and bottom exclusive; in pixels,
            or in shares of the sides, as its image says. NaN for what is no number.
        difficult: see `Boxes`.
    """

    name: str
    corners: tuple[float, float, float, float]
    difficult: bool = False


@dataclass(frozen=True)
class WrittenImage:
    """An image with its objects, as they are written.

    Attributes:
        path: of the image, which may be missing.
        place: of the annotation, for faults.
        boxes: its objects.
        size: (height, width) that the annotation gives; None where it gives none.
        shares: whether corners are shares of the sides rather than pixels.
    """

    path: Path
    place: str
    boxes: tuple[WrittenBox, ...]
    size: tuple[int, int] | None = None
    shares: bool = False


@dataclass(frozen=True)
class Written:
    """What annotation files say.

    Attributes:
        parts: "train", "validation" and "test", as far as they are there.
        class_names: in their order; None for the sorted names that the objects of training have.
    """

    parts: dict[str, list[WrittenImage]]
    class_names: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Layout:
    """How a set lies in its folder.

    Attributes:
        kind: the family of annotation files.
        note: one line for people: what was recognised.
        read: reads all annotation files; faults are added to what it is given.
    """

    kind: str
    note: str
    read: Callable[[Faults], Written]


def number(value: object) -> float:
    """A written number; NaN for what is none, or is not finite."""
    try:
        found = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return math.nan
    return found if math.isfinite(found) else math.nan


def settle(
    written: Written, faults: Faults, classes: Sequence[str] | None = None
) -> dict[str, BoxedImages]:
    """Hold what is written against the images.

    Args:
        written: what annotation files say.
        faults: what does not fit is added to it.
        classes: names of the classes that are wanted, in the order that they get; None for all.

    Returns:
        Part -> its images; a part without any is left out.

    Raises:
        UserError: where no image or object of training is left (where there is no training, of all
            parts), and at the first fault if `faults` says so.
    """
    names, known = _class_names(written, classes), _known(written)
    settled: dict[str, BoxedImages] = {}
    elsewhere: set[Path] = set()
    for part in reversed(PARTS):
        once: dict[Path, WrittenImage] = {}
        for each in written.parts.get(part, ()):
            if each.path in once:
                faults.add("images are named twice and taken once", as_text(str(each.path)))
            if each.path in elsewhere:
                faults.add(
                    "images are in two parts, and only the later one keeps them (training,"
                    " validation, test)",
                    as_text(str(each.path)),
                )
                continue
            once.setdefault(each.path, each)
        elsewhere |= once.keys()
        images = _settled(list(once.values()), names, known, faults)
        if len(images):
            settled[part] = images
    _check_left(written, settled, faults)
    return {part: settled[part] for part in PARTS if part in settled}


def _class_names(written: Written, classes: Sequence[str] | None) -> tuple[str, ...]:
    if classes is not None:
        if not classes or len(set(classes)) < len(classes):
            raise must("classes", "be distinct names, at least one", list(classes))
        known = _known(written)
        for each in classes:
            if each not in known:
                raise UserError(
                    f"data.classes names {each!r}, and the objects are of {', '.join(known)}."
                )
        return tuple(classes)
    return _known(written)


def _known(written: Written) -> tuple[str, ...]:
    """The classes that a set has."""
    if written.class_names is not None:
        return written.class_names
    first = written.parts.get("train") or [
        each for images in written.parts.values() for each in images
    ]
    return tuple(sorted({box.name for each in first for box in each.boxes}))


def _check_left(written: Written, settled: dict[str, BoxedImages], faults: Faults) -> None:
    found = "; ".join(faults.lines()) or "no fault was met"
    needed = "train" if "train" in written.parts else None
    if not settled or (needed and needed not in settled):
        raise UserError(
            f"No image{' of training' if needed else ''} is left ({found}). Give a set whose"
            " annotations and images are both there."
        )
    looked = [settled[needed]] if needed else list(settled.values())
    if not any(len(boxes) for images in looked for boxes in images.boxes):
        raise UserError(
            f"No object{' of training' if needed else ''} is left ({found}). Give a set in which"
            " objects have boxes, and the names of their classes."
        )


def _settled(
    written: list[WrittenImage],
    names: tuple[str, ...],
    known: Collection[str],
    faults: Faults,
) -> BoxedImages:
    """The images of a part that can be read, with the boxes that fit."""
    position = {name: place for place, name in enumerate(names)}
    paths, shapes, boxes = [], [], []
    for each, shape in zip(written, ordered_map(read_size, [x.path for x in written]), strict=True):
        if isinstance(shape, FileNotFoundError):
            faults.add("images are missing and are left out", as_text(str(each.path)))
            continue
        if isinstance(shape, Exception):
            reason = f"{as_text(str(each.path))} ({reason_of(shape)})"
            faults.add("images cannot be read and are left out", reason)
            continue
        if each.size and each.size != shape[:2]:
            # Boxes in pixels of another image, such as the one before an EXIF turn.
            faults.add(
                "annotations give another size than the upright image has, and it is left out",
                f"{each.place} ({each.size[1]}×{each.size[0]} for {shape[1]}×{shape[0]})",
            )
            continue
        fitting = _fitting(each, shape, position, known, faults)
        if not len(fitting):
            if any(box.name in position for box in each.boxes):
                # It shows an object: as a negative it would teach that nothing is there.
                faults.add("images have no box that is right and are left out", each.place)
                continue
            faults.note("images have no object and are kept as negatives", each.place)
        paths.append(each.path)
        shapes.append(shape)
        boxes.append(fitting)
    return BoxedImages(tuple(paths), np.array(shapes, np.int32).reshape(-1, 3), tuple(boxes), names)


def _fitting(
    image: WrittenImage,
    shape: tuple[int, int, int],
    position: dict[str, int],
    known: Collection[str],
    faults: Faults,
) -> Boxes:
    """The boxes of an image that are right, cut to it."""
    height, width = shape[:2]
    kept: list[tuple[tuple[float, ...], int, bool]] = []
    for order, box in enumerate(image.boxes, 1):
        place = f"{image.place} (object {order}, {as_text(box.name)})"
        left, top, right, bottom = box.corners
        if image.shares:
            left, top, right, bottom = left * width, top * height, right * width, bottom * height
        if box.name not in position:
            if box.name in known:
                faults.note("objects are of classes that are not wanted", place)
            else:
                faults.add("objects have an unknown class and are left out", place)
            continue
        if any(math.isnan(each) for each in box.corners):
            faults.add("boxes have a coordinate that is no number and are left out", place)
            continue
        if right <= left or bottom <= top:
            faults.add("boxes are empty or inverted and are left out", place)
            continue
        cut = max(left, 0.0), max(top, 0.0), min(right, width), min(bottom, height)
        if cut[2] <= cut[0] or cut[3] <= cut[1]:
            faults.add("boxes lie outside of their image and are left out", place)
            continue
        # Shares that are written with six digits reach out by less than a hundredth of a pixel.
        if max(abs(a - b) for a, b in zip(cut, (left, top, right, bottom), strict=True)) > _ROUNDED:
            faults.add("boxes reach out of their image and are cut to it", place)
        kept.append((cut, position[box.name], box.difficult))
    if not kept:
        return Boxes.none()
    corners, classes, difficult = zip(*kept, strict=True)
    return Boxes(
        np.array(corners, np.float32), np.array(classes, np.int64), np.array(difficult, bool)
    )


_ROUNDED = 0.05
