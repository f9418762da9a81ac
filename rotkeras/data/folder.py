"""A folder of image files: class folders, or photographs without labels, flat or nested."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rotkeras.data.cache import Stamp, cached_array
from rotkeras.data.decode import Progress, check_bad, read_all
from rotkeras.data.names import Names
from rotkeras.data.source import BadImage, Images
from rotkeras.errors import UserError
from rotkeras.images import read_image

EXTENSIONS = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp")


def check_folder(folder: Path) -> None:
    """Raise a `UserError` when a folder of images is not there."""
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "does not exist"
        raise UserError(
            f"The image folder {str(folder)!r} {what}: expected a folder of images; give the path"
            " of one."
        )


def list_images(folder: Path, unreadable: list[BadImage] | None = None) -> list[Path]:
    """Every image file below a folder as a path relative to it; else as `find_images`, which takes
    a tenth of the memory."""
    return [Path(name) for name in find_images(folder, unreadable)]


def find_images(
    folder: Path, unreadable: list[BadImage] | None = None, stamp: Stamp | None = None
) -> Names:
    """Every image file below a folder, relative to it, sorted by folder, then file; hidden files
    and folders are left out.

    Args:
        folder: where to look.
        unreadable: folders that may not be read are added to it.
        stamp: names, sizes and times of the files are added to it.

    Raises:
        UserError: when the folder is not there or holds no image.
    """
    check_folder(folder)
    found = Names()
    visited: set[str] = set()
    # What is still to be visited of each folder on the way down: so names come sorted, and no list
    # of all is needed.
    way = [_entries(folder, "", visited, unreadable)]
    while way:
        entry = next(way[-1], None)
        if entry is None:
            way.pop()
        elif entry.endswith("/"):
            way.append(_entries(folder, entry, visited, unreadable))
        else:
            found.append(entry)
            if stamp is not None:
                stamp.add(f"{entry} {_status(folder, entry)}")
    if not found:
        raise UserError(
            f"The image folder {str(folder)!r} holds no image: expected files that end in"
            f" {', '.join(EXTENSIONS)}, in it or below it; give another folder."
        )
    return found


def _entries(
    folder: Path, below: str, visited: set[str], unreadable: list[BadImage] | None
) -> Iterator[str]:
    """The image files and the folders in a folder, sorted, relative to the top; those of folders
    end in a slash."""
    here = str(folder / below)
    if (home := os.path.realpath(here)) in visited:  # a link that leads back
        return
    visited.add(home)
    files, folders = [], set()
    try:
        with os.scandir(here) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if _is_folder(entry):
                    folders.add(entry.name)
                elif entry.name.lower().endswith(EXTENSIONS):
                    files.append(entry.name)
    except OSError as error:
        if unreadable is not None:
            unreadable.append(BadImage(str(error.filename), (error.strerror or str(error)).lower()))
        return
    for name in sorted([*files, *folders]):
        yield f"{below}{name}/" if name in folders else f"{below}{name}"


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:  # the decoder will name it
        return False


def _status(folder: Path, name: str) -> str:
    try:
        status = os.stat(f"{folder}/{name}")  # noqa: PTH116, a path object takes as long again
    except OSError:  # a link to nothing: the decoder will name it
        return "none"
    return f"{status.st_size} {status.st_mtime_ns}"


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
            class per image.
        known: whether the classes are given already; then "auto" asks only that every image lies
            one folder deep.
    """
    if labels == "none":
        return None
    numbers: dict[str, int] = {}
    classes = np.empty(len(names), np.int64)
    at_the_top, one_deep = False, True
    for position, name in enumerate(names):
        first, slash, rest = name.partition("/")
        at_the_top |= not slash
        one_deep &= bool(slash) and "/" not in rest
        classes[position] = numbers.setdefault(first, len(numbers))
    if labels == "folders" and at_the_top:
        raise UserError(
            "labels: folders needs every image inside a class folder, but some lie at the top of"
            " the image folder: move them into class folders, or set labels to none."
        )
    enough = known or (len(numbers) >= 2 and len(names) >= 2 * len(numbers))
    if labels != "folders" and not (one_deep and enough):
        return None
    order = sorted(numbers)
    return np.argsort([numbers[name] for name in order])[classes], tuple(order)


def read_folder(
    folder: str | Path,
    image_size: int,
    labels: str = "auto",
    class_names: tuple[str, ...] | None = None,
    on_bad_image: str = "skip",
    cache: str | Path | None = None,
    progress: Progress | None = None,
) -> tuple[Images, list[BadImage]]:
    """Read a folder of images, recursively.

    Args:
        folder: its path; `~` is the home folder.
        image_size: each image becomes its centred square, resized to this many pixels a side.
        labels: "auto", "folders" or "none", see `class_folders`.
        class_names: names that fix the label numbers (those of training, for a test folder).
        on_bad_image: "skip" counts and names files that cannot be read, "error" stops at the first.
        cache: a folder that keeps the decoded images for later runs; None holds them in memory when
            they fit, see `cached_array`.
        progress: called with (read, all).

    Returns:
        (images, files that could not be read).

    Raises:
        UserError: for a missing or empty folder, one where no file could be read, or a cache that
            cannot be written.
    """
    folder = Path(folder).expanduser()
    unreadable: list[BadImage] = []
    stamp = Stamp(str(folder.resolve()), str(image_size))
    names = find_images(folder, unreadable, stamp)
    check_bad(unreadable, on_bad_image)
    found = class_folders(names, labels, known=class_names is not None)
    numbers, found_names = found or (None, ())
    if class_names is None:
        class_names = found_names
    elif numbers is not None:
        if unknown := sorted(set(found_names) - set(class_names)):
            raise UserError(
                f"The folder {str(folder)!r} has the class folder {unknown[0]!r}, which training"
                f" does not have ({', '.join(class_names)}): give both folders the same classes."
            )
        numbers = np.array([class_names.index(name) for name in found_names], np.int64)[numbers]
    decoded = cached_array(
        (len(names), image_size, image_size, 3),
        lambda out: read_all(
            range(len(names)),
            lambda position: read_image(folder / names[position], image_size),
            out,
            on_bad_image,
            progress,
            lambda position: str(folder / names[position]),
        ),
        cache,
        f"{folder.name or folder.resolve().name}-{image_size}",
        stamp,
    )
    positions, bad = decoded.positions, decoded.bad
    check_bad(bad, on_bad_image)  # those of a cache that was made with "skip"
    if not len(positions):
        raise UserError(
            f"None of the {len(names)} image files in {str(folder)!r} could be read; the first:"
            f" {bad[0].path} ({bad[0].reason}): give a folder of whole images."
        )
    if bad:
        names = names.select(positions)
        numbers = None if numbers is None else numbers[positions]
    images = Images.of(
        decoded.array, numbers, class_names if numbers is not None else (), names, decoded.kept
    )
    return images, unreadable + bad
