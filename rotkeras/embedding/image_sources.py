"""What a source of images means: a folder, a file, arrays, or a set of tensorflow-datasets."""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from rotkeras.arguments.accepted import AnyPath, OnBadImage, Text
from rotkeras.arguments.checked import checked
from rotkeras.data.decode import check_bad
from rotkeras.data.folder import find_images, notes_on_others
from rotkeras.data.folder_layout import class_folders, find_parts
from rotkeras.data.interpret import interpret
from rotkeras.data.lists import numbered, read_list
from rotkeras.data.names import Names
from rotkeras.data.source import BadImage, Images, split
from rotkeras.embedding.image_list import ImageList
from rotkeras.errors import UserError, nearest
from rotkeras.files import as_text, expanded
from rotkeras.images import Size, read_image, shown, sides_of
from rotkeras.images.formats import ending_of, extensions

Opened = Callable[[Size], ImageList]
"""Images that were found, waiting for the size (pixels of each side, or (H, W)) at which they are
wanted."""


@checked
def open_images(
    source: Any,
    *,
    split: Text | None = None,
    data_dir: AnyPath | None = None,
    list_folder: AnyPath | None = None,
    resize: bool = False,
    on_bad_image: OnBadImage = "skip",
) -> Opened:
    """Find images, without TensorFlow, before the size is known at which they are wanted.

    Args:
        source: a folder (searched recursively), an image file, a list of files (`.csv`, `.tsv`,
            `.txt`), a path that ends in `.npz`, `"digits"`, a name of tensorflow-datasets, a uint8
            array (N, H, W, 3), or a pair (images, labels). If a folder and a set have the same
            name, see `rotkeras.data.load`.
        split: "train", "test" or another part of a tensorflow-datasets set; None is "train". Of a
            list with parts, one of them; None is all. Folders and files have none.
        data_dir: where tensorflow-datasets keeps prepared sets.
        list_folder: where the paths of a list begin; None for the folder of the list.
        resize: cut arrays and sets of another size to the centred square and resize them; image
            files always are.
        on_bad_image: "skip" or "error", for folders that may not be read.

    Returns:
        A function: image size -> `ImageList`. It raises a `UserError` for arrays of another size
        when `resize` is False. Sets of tensorflow-datasets are decoded when it is called, into
        memory or a cache on disk; of folders nothing is decoded.

    Raises:
        UserError: for anything missing, empty, or of the wrong form.
    """
    kind, source = interpret(source, data_dir)
    path = expanded(source) if isinstance(source, str | os.PathLike) else None
    if kind == "folder":
        assert path is not None  # only paths are folders
        is_file = path.is_file() or (ending_of(path.name) in extensions() and not path.is_dir())
        opened = _one_file(path) if is_file else _folder(path, on_bad_image)
    elif kind == "list":
        opened = _list(source, split, list_folder)
    elif kind == "tfds":
        opened = _dataset(str(source), split or "train", data_dir, resize)
    else:
        opened = _arrays(source, kind, split or "train", resize)
    if kind == "folder" and split is not None:
        raise UserError(
            f"{str(source)!r} has no parts, received --split {split}: leave it out, or give the"
            " path of the part."
        )
    return opened


def _one_file(path: Path) -> Opened:
    if not path.exists():
        raise UserError(
            f"The image file {str(path)!r} does not exist. Give the path of an image or of a folder"
            " of images."
        )
    images = ImageList([as_text(path.name)], lambda _position: path, read_image)
    return lambda _size: images


def _folder(folder: Path, on_bad_image: str) -> Opened:
    skipped: list[BadImage] = []
    others: Counter[str] = Counter()
    files = find_images(folder, skipped, None, others)
    check_bad(skipped, on_bad_image)
    inside: Sequence[str] = files
    if find_parts(folder) is not None:  # train/cat/1.jpg: the class is the second folder
        inside = Names(each.partition("/")[2] or each for each in files)
    labels, class_names = class_folders(inside, "auto") or (None, ())
    # Names are kept a second time only where some cannot be written as they are.
    names = files if all(each == as_text(each) for each in files) else Names(map(as_text, files))
    images = ImageList(
        names,
        lambda position: folder / files[position],
        read_image,
        labels,
        class_names,
        skipped,
        notes_on_others(others, folder),
    )
    return lambda _size: images


def _list(source: Any, part: str | None, folder: Any) -> Opened:
    listing = read_list(source, folder)
    positions = np.arange(len(listing.names))
    if part is not None:
        parts = sorted(set(listing.parts or ()))
        if part not in parts:
            there = nearest(part, parts) if parts else "it has none; leave --split out"
            raise UserError(f"The list {str(source)!r} has no part {part!r}: {there}")
        positions = np.flatnonzero(np.array(listing.parts) == part)
    labels = None
    class_names: tuple[str, ...] = ()  # numbers are those of the whole list, whatever the part
    if listing.labels is not None:
        numbers, class_names = numbered(listing.labels, None, f"The list {str(source)!r}")
        labels = numbers[positions]
    names = listing.names.select(positions)
    images = ImageList(
        Names(map(as_text, names)),
        lambda at: listing.folder / names[at],
        read_image,
        labels,
        class_names,
        notes=listing.notes,
    )
    return lambda _size: images


def _dataset(name: str, part: str, data_dir: str | os.PathLike[str] | None, resize: bool) -> Opened:
    from rotkeras.data.tfds_source import open_builder, read_split

    with _words_of_the_command():
        builder = open_builder(name, None if data_dir is None else os.fspath(data_dir))
    if part not in builder.info.splits:
        raise UserError(f"{name!r} has no split {part!r}: {nearest(part, builder.info.splits)}")
    shapes = [
        feature.shape[:2]
        for feature in builder.info.features.values()
        if type(feature).__name__ == "Image"
    ]

    def opened(size: Size) -> ImageList:
        if shapes and not resize:
            _check_size(name, shapes[0], size)
        with _words_of_the_command():
            return _of(read_split(builder, part, size))

    return opened


def _arrays(source: Any, kind: str, part: str, resize: bool) -> Opened:
    from rotkeras.data.arrays import as_images, read_digits, read_npz

    name = (
        source
        if isinstance(source, str)
        else os.fspath(source)
        if isinstance(source, os.PathLike)
        else "the array"
    )
    if name != "the array" and part not in ("train", "test"):
        raise UserError(f"{name!r} has no split {part!r}: {nearest(part, ['train', 'test'])}")
    if isinstance(source, str | os.PathLike) and kind == "arrays" and not expanded(source).exists():
        raise UserError(f"The array file {name!r} does not exist: give the path of an .npz file.")

    def read(size: Size | None) -> Images:
        if kind == "embedded":
            parts = split(
                read_digits(size), 0.2, seed=0, how="random"
            )  # as `rotkeras.data.load` splits them
            found = parts[part == "test"]
        elif isinstance(source, str | os.PathLike):
            found = read_npz(Path(source), part, size)
        elif (
            isinstance(source, tuple | list)
            and len(source) == 2
            and getattr(source[0], "ndim", 0) >= 3
        ):
            found = as_images(source[0], source[1], image_size=size)
        else:
            found = as_images(source, image_size=size)
        if found is None:
            raise UserError(
                f"{name!r} has no test set, which would be arrays named 'test_images' or 'x_test';"
                " leave --split out."
            )
        return found

    def opened(size: Size) -> ImageList:
        with _words_of_the_command():
            images = read(size if resize else None)
        _check_size(name, images.image_shape[:2], size)
        return _of(images)

    return opened


def _check_size(name: str, shape: Sequence[int | None], size: Size) -> None:
    if tuple(shape) == sides_of(size):
        return
    there = "differ in size" if None in shape else f"are {shape[0]}×{shape[1]}"
    raise UserError(
        f"The images of {name} {there} and the encoder takes {shown(size)}: add --resize, which"
        " cuts their centre and resizes it, or take an encoder of their size."
    )


def _of(images: Images) -> ImageList:
    rows = images.rows
    return ImageList(
        Names(map(str, rows.tolist())),
        lambda position: int(rows[position]),
        lambda row, _size: np.asarray(images.array[row]),
        images.labels,
        images.class_names,
    )


@contextmanager
def _words_of_the_command() -> Iterator[None]:
    """Sources name the keys of a recipe in their errors; here the same is said with options."""
    try:
        yield
    except UserError as error:
        text = str(error).removeprefix("data.tfds: ").replace("set data.image_size", "add --resize")
        raise UserError(text) from None
