"""What the folders of an image folder mean: classes, or parts that hold classes."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rotkeras.errors import UserError
from rotkeras.files import as_text

PARTS = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
    "testing": "test",
}


@dataclass(frozen=True)
class Parts:
    """The folders of a layout such as train/, val/ and test/.

    Attributes:
        train: the folder of the training images.
        validation: the folder of the validation images, or None.
        test: the folder of the test images, or None.
        beside: names of files beside these folders, which belong to no part.
    """

    train: Path
    validation: Path | None
    test: Path | None
    beside: tuple[str, ...] = ()

    def describe(self) -> str:
        """One line: which folder is which part."""
        named = [f"{self.train.name}/ is training"]
        if self.validation:
            named.append(f"{self.validation.name}/ is validation")
        if self.test:
            named.append(f"{self.test.name}/ is the test set")
        return f"{', '.join(named)}"


def find_parts(folder: Path) -> Parts | None:
    """The parts of a folder, or None if its folders are no parts.

    They are parts if there is a training folder, at least one other part, and no further folder.
    Names are compared in lower case: train or training; val, valid or validation; test or testing.
    """
    found: dict[str, Path] = {}
    beside = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if not entry.is_dir():
                    beside.append(entry.name)
                    continue
                part = PARTS.get(entry.name.lower())
                if part is None or part in found:
                    return None
                found[part] = folder / entry.name
    except OSError:  # the listing of images names it
        return None
    if "train" not in found or len(found) < 2:
        return None
    validation, test = found.get("validation"), found.get("test")
    return Parts(found["train"], validation, test, tuple(sorted(beside)))


def class_folders(
    names: Sequence[str], labels: str, known: bool = False
) -> tuple[NDArray[np.int64], tuple[str, ...]] | None:
    """The class of each image, int64 (N,), and the names of the classes, sorted; or None when the
    folder has no classes.

    Args:
        names: of the images, relative to the folder.
        labels: "folders": the first folder below the top is the class. "none": no labels. "auto":
            classes when every image lies exactly one folder deep and there are at least two folders
            of at least two images on average; anything else is taken as unlabelled, never as one
            class per image. `why_no_labels` says why.
        known: whether the classes are given already; then "auto" asks only that every image lies
            one folder deep.

    Raises:
        UserError: for "folders" when an image lies in no folder.
    """
    if labels == "none":
        return None
    numbers: dict[str, int] = {}
    classes = np.empty(len(names), np.int64)
    loose, one_deep = "", True
    for position, name in enumerate(names):
        first, slash, rest = name.partition("/")
        loose = loose or ("" if slash else name)
        one_deep &= bool(slash) and "/" not in rest
        classes[position] = numbers.setdefault(first, len(numbers))
    if labels == "folders" and loose:
        raise UserError(
            "data.labels=folders needs every image inside a class folder, but"
            f" {loose!r} lies beside the class folders. Move it into one, or set data.labels=none."
        )
    enough = known or (len(numbers) >= 2 and len(names) >= 2 * len(numbers))
    if labels != "folders" and not (one_deep and enough):
        return None
    order = sorted(numbers)
    return np.argsort([numbers[name] for name in order])[classes], tuple(map(as_text, order))


def why_no_labels(names: Sequence[str]) -> str:
    """Why "auto" took no labels from folders, because of which file, and how to fix it: one line;
    "" for images that lie in no folder at all."""
    folders: set[str] = set()
    loose = deep = ""
    for name in names:
        first, slash, rest = name.partition("/")
        if slash:
            folders.add(first)
        loose = loose or ("" if slash else name)
        deep = deep or (name if "/" in rest else "")
    if not folders:
        return ""
    if loose:
        return (
            f"labels are not used: {loose!r} lies beside the class folders; move it into one, or"
            " set data.labels=none"
        )
    if deep:
        return (
            f"labels are not used: {deep!r} lies more than one folder deep; set data.labels=folders"
            " to take the first folder as the class, or data.labels=none"
        )
    if len(folders) == 1:
        return (
            f"labels are not used: all images lie in one folder, {next(iter(folders))!r}; classes"
            " need at least two"
        )
    return (
        f"labels are not used: {len(folders):,} folders hold {len(names):,} images, fewer than two"
        f" each, such as {names[0]!r}; set data.labels=folders to take the folders as classes"
    )
