"""What DATA means to an audit: images with a folder and a part each, read one by one, files with
what their headers say."""

import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rotkeras.data.crops import Crops
from rotkeras.data.decode import Progress
from rotkeras.data.folder import check_folder, find_images, notes_on_others
from rotkeras.data.folder_layout import find_parts
from rotkeras.data.interpret import interpret, load
from rotkeras.data.listed_source import find_voc, read_voc
from rotkeras.data.lists import Listing, read_list
from rotkeras.data.source import BadImage, Images
from rotkeras.errors import UserError
from rotkeras.files import as_text, expanded
from rotkeras.images import fit, load_pixels, open_image, orientation, to_rgb, transposed

FOLDER_IMAGE_SIZE = 64
"""Pixels of each side for image files when nothing is said: that of the recipe `folder`."""

TOP, TEST = "(top)", "(test set)"


@dataclass(frozen=True, eq=False)
class Picture:
    """One image as training sees it, and what its file says.

    Attributes:
        pixels: uint8 (S, S, 3).
        width: of the upright picture, before the square was cut, in pixels.
        height: the same.
        orientation: 1 … 8 of the EXIF standard; 1 is upright, and for arrays.
    """

    pixels: NDArray[np.uint8]
    width: int
    height: int
    orientation: int = 1


@dataclass(frozen=True, eq=False)
class Collection:
    """Images to be audited.

    Attributes:
        name: for titles.
        size: pixels of each side of what is read.
        names: (N,) file names relative to the folder, or row numbers.
        folders: names of the groups that figures are given for: the first folder below the top, or
            the class.
        folder_of: int64 (N,), each image's place in `folders`.
        trained_on: bool (N,); False for a test set, which is searched for duplicates alone.
        read: position -> `Picture`; raises for a file that is no image.
        path: position -> the file; None where the images are no files.
        unreadable: folders that could not be listed, and files that are not read.
        notes: lines on what was left out.
    """

    name: str
    size: int
    names: Sequence[str]
    folders: tuple[str, ...]
    folder_of: NDArray[np.int64]
    trained_on: NDArray[np.bool_]
    read: Callable[[int], Picture]
    path: Callable[[int], Path] | None = None
    unreadable: list[BadImage] = field(default_factory=list)
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.names)

    @property
    def is_files(self) -> bool:
        """Whether there are files with headers."""
        return self.path is not None


def open_collection(
    source: Any,
    data_dir: str | os.PathLike[str] | None = None,
    image_size: int | None = None,
    progress: Progress | None = None,
    list_folder: str | os.PathLike[str] | None = None,
    crops: Crops | None = None,
) -> Collection:
    """Find the images of a source; of a folder nothing is decoded yet.

    Args:
        source: a folder (searched recursively), a list of files, a path that ends in `.npz`,
            `"digits"`, a name of tensorflow-datasets, a uint8 array (N, H, W, 3), or a pair
            (images, labels). If a folder and a set have the same name, see `rotkeras.data.load`.
        data_dir: where tensorflow-datasets keeps prepared sets.
        image_size: pixels of each side of what training will see; None is 64 for files, and for the
            others what they have.
        progress: called with (images read, images in all) for sets of tensorflow-datasets, which
            are read into memory.
        list_folder: where the paths of a list begin; None for the folder of the list.
        crops: made of the photographs of a folder, an image file or a list, in their place.

    Raises:
        UserError: for anything missing, empty, or of the wrong form, and for images below 8 pixels
            a side.
    """
    if image_size is not None and image_size < 8:
        raise UserError(
            f"--image-size must be at least 8 pixels, got {image_size}; use the size of training."
        )
    kind, source = interpret(source, data_dir)
    if crops is not None:
        return _of_crops(
            kind, source, image_size or FOLDER_IMAGE_SIZE, list_folder, crops, progress
        )
    if kind == "folder":
        folder = expanded(source)
        check_folder(folder)
        if (voc := find_voc(folder)) is not None:
            listing, note = read_voc(voc)
            name = as_text(voc.resolve().name)
            return _listed(listing, name, image_size or FOLDER_IMAGE_SIZE, (note,))
        return _folder(folder, image_size or FOLDER_IMAGE_SIZE)
    if kind == "list":
        name = as_text(expanded(source).stem)
        return _listed(read_list(source, list_folder), name, image_size or FOLDER_IMAGE_SIZE)
    try:
        loaded = load(
            source,
            kind=kind,
            data_dir=None if data_dir is None else os.fspath(data_dir),
            image_size=image_size,
            validation_fraction=0,
            progress=progress,
        )
        parts = [loaded.train, *([loaded.test] if loaded.test is not None else [])]
    except UserError as error:
        # Sources name the keys of a recipe; here the same is said with options.
        text = str(error).removeprefix("data.tfds: ").removeprefix("data.image_size: ")
        raise UserError(
            text.replace("set data.image_size", "add --image-size").replace(
                "set the size", "give --image-size"
            )
        ) from None
    if loaded.image_shape[0] != loaded.image_shape[1]:
        height, width = loaded.image_shape[:2]
        raise UserError(
            f"The images of {loaded.name} must be square, to be turned, got {height}×{width}; add"
            " --image-size, which cuts a square."
        )
    if loaded.image_shape[0] < 8:
        raise UserError(
            f"The images of {loaded.name} must be at least 8 pixels a side, got"
            f" {loaded.image_shape[0]}; add --image-size."
        )
    return _arrays(loaded.name, parts)


def _of_crops(
    kind: Any, source: Any, size: int, list_folder: Any, crops: Crops, progress: Progress | None
) -> Collection:
    """The crops of photographs, as training makes them; all of them, since none is validation."""
    loaded = load(
        source,
        kind=kind,
        list_folder=list_folder if kind == "list" else None,
        image_size=size,
        validation_fraction=0,
        crops=crops,
        progress=progress,
    )
    return replace(
        _arrays(loaded.name, [loaded.train]),
        unreadable=list(loaded.skipped),
        notes=(f"The images {loaded.train.kept}.",),
    )


def _folder(folder: Path, size: int) -> Collection:
    unreadable: list[BadImage] = []
    others: Counter[str] = Counter()
    paths = [Path(name) for name in find_images(folder, unreadable, None, others)]
    files = [path.as_posix() for path in paths]
    parts = find_parts(folder)
    inside = [path.parts[1:] if parts and len(path.parts) > 1 else path.parts for path in paths]
    first = [each[0] if len(each) > 1 else TOP for each in inside]
    is_test = [parts is not None and folder / path.parts[0] == parts.test for path in paths]
    first = [TEST if test else each for each, test in zip(first, is_test, strict=True)]
    folders, folder_of = _numbered(first)
    return Collection(
        as_text(folder.resolve().name),
        size,
        [as_text(each) for each in files],
        tuple(as_text(each) for each in folders),
        folder_of,
        ~np.array(is_test, bool),
        lambda position: read_picture(folder / files[position], size),
        path=lambda position: folder / files[position],
        unreadable=unreadable,
        notes=(*notes_on_others(others, folder), *((parts.describe(),) if parts else ())),
    )


def _numbered(groups: Sequence[str]) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """(names of the groups, sorted; the place of each image's)."""
    names, places = np.unique(np.array(groups, object), return_inverse=True)
    return tuple(names.tolist()), places.astype(np.int64)


def _listed(listing: Listing, name: str, size: int, notes: tuple[str, ...] = ()) -> Collection:
    files, folder = listing.names, listing.folder
    groups = listing.labels or tuple(each.rpartition("/")[0].split("/")[0] or TOP for each in files)
    is_test = [part == "test" for part in listing.parts or ["train"] * len(files)]
    groups = tuple(TEST if test else each for each, test in zip(groups, is_test, strict=True))
    names, folder_of = _numbered(groups)
    return Collection(
        name,
        size,
        [as_text(each) for each in files],
        tuple(as_text(each) for each in names),
        folder_of,
        ~np.array(is_test, bool),
        lambda position: read_picture(folder / files[position], size),
        path=lambda position: folder / files[position],
        notes=(*listing.notes, *notes),
    )


def _arrays(name: str, parts: list[Images]) -> Collection:
    train = parts[0]
    classes = train.class_names if train.labels is not None else ("(all)",)
    folder_of = [train.labels if train.labels is not None else np.zeros(len(train), np.int64)]
    folder_of += [np.full(len(part), len(classes), np.int64) for part in parts[1:]]
    rows = np.concatenate([np.arange(len(part), dtype=np.int64) for part in parts])
    which = np.repeat(np.arange(len(parts)), [len(part) for part in parts])

    def read(position: int) -> Picture:
        part = parts[which[position]]
        pixels = np.asarray(part.array[part.rows[rows[position]]])
        return Picture(pixels, pixels.shape[1], pixels.shape[0])

    names = [f"{'test ' if part else ''}{row}" for part, row in zip(which, rows, strict=True)]
    folders = (*classes, *([TEST] if len(parts) > 1 else []))
    return Collection(
        name, train.image_shape[0], names, folders, np.concatenate(folder_of), which == 0, read
    )


def read_picture(path: Path, size: int) -> Picture:
    """Decode an image file once, as `rotkeras.images.read_image` does, and keep what its header
    says.

    Raises:
        Exception: whatever Pillow raises for a file that is not a whole image.
    """
    with open_image(path) as image:
        way = orientation(image)  # of a TIFF, before Pillow loads it upright
        pixels = load_pixels(image)
        upright = transposed(pixels, orientation(pixels))
        way = way if image.format == "TIFF" else orientation(pixels)
        return Picture(fit(to_rgb(upright), size), upright.width, upright.height, way)
