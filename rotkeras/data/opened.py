"""The parts of each kind of source, before validation is split off."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rotkeras.data.cache import Storage
from rotkeras.data.decode import Progress
from rotkeras.data.folder import check_folder, read_folder
from rotkeras.data.folder_layout import Parts, find_parts
from rotkeras.data.listed_source import find_voc, read_listed, read_voc
from rotkeras.data.lists import Listing, check_apart, find_list, read_list
from rotkeras.data.source import BadImage, Images, split
from rotkeras.errors import UserError, nearest
from rotkeras.files import as_text, expanded
from rotkeras.images import Size

FOLDER_IMAGE_SIZE = 96


@dataclass
class How:
    """How images are read: arguments of `rotkeras.data.load`, and what is found on the way.

    Attributes:
        skipped: files that could not be read are added to it.
        notes: lines on what was left out or guessed are added to it.
    """

    data_dir: Path | None
    test_folder: Path | None
    list_folder: Path | None
    validation_list: Path | None
    test_list: Path | None
    image_size: Size | None
    labels: str
    on_bad_image: str
    cache: Path | None
    storage: Storage | None
    progress: Progress | None
    skipped: list[BadImage] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Opened:
    """The parts that a source has by itself.

    Attributes:
        name: what the images are.
        train: the images to learn from, with those that may become validation.
        read_test: gives the test set, or None.
        validation: None where the source has none.
    """

    name: str
    train: Images
    read_test: Callable[[], Images | None]
    validation: Images | None = None


def open_dataset(name: str, how: How) -> Opened:
    """A set of tensorflow-datasets."""
    from rotkeras.data.tfds_source import open_builder, read_split, test_split_name

    builder = open_builder(name, how.data_dir)
    test = test_split_name(builder)

    def read(part: str, progress: Progress | None) -> Images:
        return read_split(
            builder,
            part,
            how.image_size,
            progress,
            cache=how.cache,
            storage=how.storage,
            on_bad_image=how.on_bad_image,
            skipped=how.skipped,
        )

    return Opened(name, read("train", how.progress), lambda: read(test, None) if test else None)


def open_folder(given: Any, how: How) -> Opened:
    """A folder: of classes, of parts, of loose photographs, or in the layout of PASCAL VOC."""
    folder = expanded(given)
    check_folder(folder)
    if (voc := find_voc(folder)) is not None:
        return _open_voc(voc, how)
    size, name = how.image_size or FOLDER_IMAGE_SIZE, as_text(folder.resolve().name)
    parts, test_folder = find_parts(folder), how.test_folder
    if parts is not None:
        how.notes += _notes_of(parts, test_folder)
        folder, test_folder = parts.train, parts.test or test_folder

    def read(
        place: Path, labels: str, names: tuple[str, ...] | None, listed: Path | None = None
    ) -> Images:
        progress = None if place == test_folder else how.progress
        images, bad = read_folder(
            place,
            size,
            labels,
            names,
            how.on_bad_image,
            how.cache,
            progress,
            how.notes,
            how.storage,
            listed,
        )
        how.skipped += bad
        return images

    train = read(folder, how.labels, None)
    names = train.class_names or None
    known = how.labels if names else "none"
    validation = None
    if parts is not None and parts.validation is not None:
        listed = find_list(parts.validation, "val")
        validation = read(parts.validation, known, names, listed)

    def read_test() -> Images | None:
        return None if test_folder is None else read(test_folder, known, names)

    return Opened(name, train, read_test, validation)


def open_list(given: Any, how: How) -> Opened:
    """A list of image files, and perhaps lists of other parts."""
    path = expanded(given)
    listing = read_list(path, how.list_folder)
    how.notes += listing.notes
    lists: dict[str, tuple[Path, Listing | None]] = {"train": (path, listing.part("train"))}
    for part, file in (("validation", how.validation_list), ("test", how.test_list)):
        inside = listing.part(part)
        if file is not None and inside is not None:
            raise UserError(
                f"There are two lists of {part} images: data.{part}_list={os.fspath(file)!r} and"
                f" the parts in {path.name}. Remove data.{part}_list."
            )
        if file is not None:
            other = read_list(file, how.list_folder)
            how.notes += other.notes
            inside = other if other.parts is None else other.part(part)
            if inside is None:
                raise UserError(f"The list {str(file)!r} has no images of {part}; complete it.")
        lists[part] = path if file is None else file, inside
    if lists["train"][1] is None:
        raise UserError(f"The list {str(path)!r} has no training images; its parts need train.")
    if listing.parts is not None:
        how.notes.append(f"parts are those in {path.name}")
    check_apart({part: each for part, (_, each) in lists.items() if each is not None})
    return _open_listings(as_text(path.stem), lists, how)


def _open_voc(folder: Path, how: How) -> Opened:
    listing, note = read_voc(folder)
    how.notes.append(note)
    if how.test_folder is not None:
        raise UserError("data.test_folder is for folders without ImageSets/; remove it.")
    lists = {part: (folder, listing.part(part)) for part in ("train", "validation", "test")}
    return _open_listings(as_text(folder.resolve().name), lists, how)


def _open_listings(name: str, lists: dict[str, tuple[Path, Listing | None]], how: How) -> Opened:
    def read(part: str, names: tuple[str, ...] | None, labels: str) -> Images | None:
        file, listing = lists[part]
        if listing is None:
            return None
        images, bad = read_listed(
            listing,
            how.image_size or FOLDER_IMAGE_SIZE,
            labels,
            names,
            what=f"The list {str(file)!r}",
            on_bad_image=how.on_bad_image,
            cache=how.cache,
            progress=None if part == "test" else how.progress,
            storage=how.storage,
        )
        how.skipped += bad
        return images

    train = read("train", None, how.labels)
    assert train is not None
    names = train.class_names or None
    known = how.labels if names else "none"
    if lists["validation"][1] is not None:
        how.notes.append("data.validation_fraction is not used: validation images have a list")
    validation = read("validation", names, known)
    return Opened(name, train, lambda: read("test", names, known), validation)


def open_arrays(source: Any, how: How) -> Opened:
    """NumPy arrays, or an .npz file."""
    from rotkeras.data.arrays import given_arrays, read_npz

    if isinstance(source, str | os.PathLike):
        images = read_npz(Path(source), "train", how.image_size)
        assert images is not None  # read_npz raises for a train part that is not there
        return Opened(
            Path(source).stem, images, lambda: read_npz(Path(source), "test", how.image_size)
        )
    train, test = given_arrays(source, how.image_size)
    return Opened("arrays", train, lambda: test)


def open_embedded(name: Any, how: How) -> Opened:
    """The digits of scikit-learn."""
    from rotkeras.data.arrays import read_digits

    if name != "digits":
        raise UserError(
            f"data.embedded: {name!r} is not an embedded set: {nearest(str(name), ['digits'])}"
        )
    digits, held_out = split(read_digits(how.image_size), 0.2, seed=0, how="random")
    return Opened("digits", digits, lambda: held_out)


def _notes_of(parts: Parts, test_folder: Any) -> list[str]:
    """What is said of a folder with parts, and `UserError` for a second test set."""
    if test_folder is not None and parts.test is not None:
        raise UserError(
            f"There are two test sets: data.test_folder={os.fspath(test_folder)!r} and the folder"
            f" {parts.test.name}/ among the images. Remove data.test_folder, or rename the folder."
        )
    notes = [parts.describe()]
    beside = list(parts.beside)
    if parts.validation is not None:
        notes.append("data.validation_fraction is not used: validation images have a folder")
        listed = find_list(parts.validation, "val")
        if listed is not None:
            notes.append(f"classes of {parts.validation.name}/ are those in {listed.name}")
            beside = [each for each in beside if each != listed.name]
    if beside:
        count = len(beside)
        notes.append(
            f"{count:,} file{'s' if count > 1 else ''} beside these folders, such as {beside[0]!r},"
            f" belong{'' if count > 1 else 's'} to no part"
        )
    return notes
