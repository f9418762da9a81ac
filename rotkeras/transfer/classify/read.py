"""Labelled images of a classifier: one class each, or several as PASCAL VOC has them."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rotkeras.data import Images, Source, load
from rotkeras.data.fingerprint import sampled_digest
from rotkeras.data.interpret import interpret
from rotkeras.data.listed_source import find_voc
from rotkeras.errors import UserError
from rotkeras.files import expanded
from rotkeras.images import Size
from rotkeras.transfer.base import Labelled
from rotkeras.transfer.faults import Faults
from rotkeras.transfer.parts import NAMED_VALIDATION, drawn

_MOST_VALIDATION = 1000


@dataclass(frozen=True, eq=False)
class ClassifiedImages:
    """Images with their classes.

    Attributes:
        images: a part of a source.
        labels: int64 (N,), the class of each; or int8 (N, C) of several classes an image: 1 shows
            it, 0 shows it in a way that is hard to tell ("difficult") and counts neither way, -1
            does not show it.
    """

    images: Images
    labels: NDArray[Any]

    def __len__(self) -> int:
        return len(self.images)

    @property
    def several(self) -> bool:
        """Whether an image may have several classes."""
        return self.labels.ndim == 2

    def part(self, positions: NDArray[np.int64]) -> "ClassifiedImages":
        """A smaller part; `positions` (n,) count in this one, and are put in order."""
        ordered = np.sort(positions)
        return ClassifiedImages(self.images.part(ordered), self.labels[ordered])

    def digest(self) -> str:
        """What tells these images and labels from others."""
        made = hashlib.sha256(sampled_digest(self.images).encode())
        made.update(np.ascontiguousarray(self.labels).tobytes())
        return made.hexdigest()[:16]


def read_classified(data: Any, size: Size, seed: int) -> Labelled:
    """The images that section `data` of a fine-tuning names.

    A set of PASCAL VOC (ImageSets/Main with a list for each class) gives several classes an image;
    everything else that `rotkeras.data.load` reads gives one. Where the set names no test part, its
    validation part is the test part, and validation is a share of training.

    Raises:
        UserError: for images without labels or with one class.
    """
    kind, given = interpret(data.path, data.data_dir)
    voc = find_voc(expanded(data.path)) if kind == "folder" else None
    source = load(
        voc or given,
        kind=kind,
        data_dir=data.data_dir,
        image_size=size,
        labels="auto",
        validation_fraction=0.0,
        on_bad_image=data.on_fault,
    )
    # Validation is split off here, so what loading says of its own fraction would mislead.
    said = [each for each in source.notes if "validation_fraction" not in each]
    notes = [*said, *(f"left out: {each.path} ({each.reason})" for each in source.skipped)]
    train, test = source.train, source.test
    named = source.validation
    if voc is not None:
        faults = Faults(data.on_fault)
        classes = _voc_classes(voc, data.classes)
        table = _voc_labels(voc, classes, faults)
        parts = [
            None if each is None else _of_voc(each, table, faults) for each in (train, named, test)
        ]
        notes += faults.lines()
    else:
        classes, parts = _of_source(source, data.classes)
    whole, validation, last = parts
    assert whole is not None
    if last is None and validation is not None:
        last, validation = validation, None
        notes.append(NAMED_VALIDATION)
    for what in ("the test part",) * (last is None) + ("validation",) * (validation is None):
        whole, part = _split(whole, data.validation_fraction, seed)
        notes.append(drawn(len(part), what, data.validation_fraction))
        last, validation = (part, validation) if last is None else (last, part)
    assert last is not None
    assert validation is not None
    if len(validation) > _MOST_VALIDATION:
        chosen = np.random.default_rng(seed).permutation(len(validation))[:_MOST_VALIDATION]
        validation = validation.part(chosen)
        notes.append(f"validation is a draw of {_MOST_VALIDATION:,} images")
    return Labelled(source.name, whole, validation, last, classes, tuple(notes))


def _of_source(
    source: Source, wanted: Any
) -> tuple[tuple[str, ...], list[ClassifiedImages | None]]:
    """Class names, and train, validation and test of images with one class each."""
    train = source.train
    if train.labels is None:
        raise UserError(
            f"A classifier needs labels, and the images of {source.name} have none. Give class"
            " folders, a list with labels, a set of PASCAL VOC, or a set of tensorflow-datasets."
        )
    names = tuple(train.class_names) or tuple(str(each) for each in np.unique(train.labels))
    numbers = np.unique(train.labels) if not train.class_names else np.arange(len(names))
    classes = names if wanted is None else tuple(wanted)
    for each in classes:
        if each not in names:
            raise UserError(f"data.classes names {each!r}, and the images have {', '.join(names)}.")
    if len(classes) < 2:
        raise UserError(f"A classifier needs two classes, got {', '.join(classes) or 'none'}.")
    position = {int(numbers[names.index(each)]): place for place, each in enumerate(classes)}

    def chosen(part: Images | None) -> ClassifiedImages | None:
        if part is None or part.labels is None:
            return None
        places = np.array([position.get(int(each), -1) for each in part.labels], np.int64)
        kept = np.flatnonzero(places >= 0)
        return ClassifiedImages(part.part(kept), places[kept])

    return classes, [chosen(each) for each in (train, source.validation, source.test)]


def _voc_classes(voc: Path, wanted: Any) -> tuple[str, ...]:
    lists = voc / "ImageSets" / "Main"
    names = sorted(
        {each.name.rsplit("_", 1)[0] for each in lists.glob("*_*.txt")} if lists.is_dir() else ()
    )
    if not names:
        raise UserError(
            f"{str(lists)!r} has no lists of classes, such as cat_trainval.txt; complete the set,"
            " or give class folders."
        )
    for each in wanted or ():
        if each not in names:
            raise UserError(f"data.classes names {each!r}, and {lists} has {', '.join(names)}.")
    return tuple(wanted or names)


def _voc_labels(voc: Path, classes: tuple[str, ...], faults: Faults) -> dict[str, NDArray[np.int8]]:
    """Stem of an image -> int8 (C,), as the lists of the classes have it; each is read once."""
    table: dict[str, NDArray[np.int8]] = {}
    for column, name in enumerate(classes):
        for file in sorted((voc / "ImageSets" / "Main").glob(f"{name}_*.txt")):
            if file.name.rsplit("_", 1)[0] != name:
                continue
            for number, line in enumerate(file.read_text().splitlines(), 1):
                words = line.split()
                if len(words) == 2 and words[1] in ("1", "0", "-1"):
                    row = table.setdefault(words[0], np.full(len(classes), -1, np.int8))
                    row[column] = int(words[1])
                elif words:
                    faults.add("lines name no image and 1, 0 or -1", f"{file.name}:{number}")
    return table


def _of_voc(
    part: Images, table: dict[str, NDArray[np.int8]], faults: Faults
) -> ClassifiedImages | None:
    """A part of a set of PASCAL VOC with the labels of its lists; None without images."""
    assert part.names is not None
    stems = [Path(part.names[row]).stem for row in part.rows]
    kept = [number for number, stem in enumerate(stems) if stem in table]
    for stem in stems:
        if stem not in table:
            faults.add("images are in no list of a class and are left out", stem)
    if not kept:
        return None
    labels = np.stack([table[stems[number]] for number in kept])
    return ClassifiedImages(part.part(np.array(kept)), labels)


def _split(
    whole: ClassifiedImages, fraction: float, seed: int
) -> tuple[ClassifiedImages, ClassifiedImages]:
    """(train, validation), in the proportions of the classes where there is one an image."""
    count = max(1, round(fraction * len(whole)))
    if count >= len(whole):
        raise UserError(
            f"There are {len(whole)} training images, too few to split off validation; add images."
        )
    if whole.several:
        held = np.sort(np.random.default_rng(seed).permutation(len(whole))[:count])
    else:
        from rotkeras.data.stratify import stratified

        held = stratified(whole.labels, count, seed, both_sides=True)
    rest = np.setdiff1d(np.arange(len(whole)), held)
    return whole.part(rest), whole.part(held)
