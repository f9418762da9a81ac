"""A folder of image files: class folders, or photographs without labels, flat or nested."""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rotkeras.data.cache import Stamp, Storage, cached_array, fitting, named
from rotkeras.data.decode import Progress, check_bad, read_all
from rotkeras.data.encoded import EncodedImages, Files
from rotkeras.data.folder_layout import class_folders, why_no_labels
from rotkeras.data.headers import read_headers
from rotkeras.data.lists import labels_by_list, numbered
from rotkeras.data.names import Names
from rotkeras.data.source import BadImage, Images
from rotkeras.errors import UserError
from rotkeras.files import expanded, what_else
from rotkeras.images import Size, read_image, sides_of
from rotkeras.images import formats as kinds


def check_folder(folder: Path, or_file: bool = False) -> None:
    """Raise a `UserError` when a folder of images is not there, or, with `or_file`, neither it nor
    a file."""
    if not folder.is_dir() and not (or_file and folder.is_file()):
        what = "is a file" if folder.exists() else "does not exist"
        raise UserError(
            f"The image folder {str(folder)!r} {what}. Give the path of a folder of images."
        )


def list_images(folder: Path, unreadable: list[BadImage] | None = None) -> list[Path]:
    """Every image file below a folder as a path relative to it; else as `find_images`, which takes
    a tenth of the memory."""
    return [Path(name) for name in find_images(folder, unreadable)]


def find_images(
    folder: Path,
    unreadable: list[BadImage] | None = None,
    stamp: Stamp | None = None,
    others: Counter[str] | None = None,
) -> Names:
    """Every image file below a folder, relative to it, sorted by folder, then file; hidden files
    and folders are left out.

    A file is an image if its name ends as that of an image does, or if its content begins as an
    image does. Only regular files are opened.

    Args:
        folder: where to look.
        unreadable: what looks like an image and is not read is added to it, with the reason: camera
            raw files and other formats that Pillow does not read, named pipes, links to nothing;
            and folders that may not be listed.
        stamp: names, sizes and times of the files are added to it.
        others: files that are no images are counted in it, by the ending of their names.

    Raises:
        UserError: when the folder is not there or holds no image.
    """
    check_folder(folder)
    counted: Counter[str] = Counter() if others is None else others
    listing = _Listing(folder, [] if unreadable is None else unreadable, counted)
    found = Names()
    # What is still to be visited of each folder on the way down: so names come sorted, and no list
    # of all is needed.
    way = [listing.entries("")]
    while way:
        entry = next(way[-1], None)
        if entry is None:
            way.pop()
        elif entry.endswith("/"):
            way.append(listing.entries(entry))
        else:
            found.append(entry)
            if stamp is not None:
                stamp.add(f"{entry} {status_of(folder, entry)}")
    if not found:
        raise _no_image(folder, listing.unreadable, counted)
    return found


def _no_image(folder: Path, unreadable: list[BadImage], others: Counter[str]) -> UserError:
    what = "holds no image that can be read"
    if unreadable:
        what += f"; the first that cannot: {unreadable[0].path} ({unreadable[0].reason})"
    elif others:
        what += f", but {describe_others(others)}"
    return UserError(f"The image folder {str(folder)!r} {what}. Give a folder of image files.")


def describe_others(others: Counter[str]) -> str:
    """Files that are no images, counted by ending, in words: "12 other files (.txt, .json)"."""
    count = others.total()
    endings = ", ".join(ending or "no ending" for ending, _ in others.most_common(4))
    more = ", …" if len(others) > 4 else ""
    return f"{count:,} other file{'s' if count > 1 else ''} ({endings}{more})"


def notes_on_others(others: Counter[str], folder: Path) -> tuple[str, ...]:
    """What is said of the files in a folder that are no images; nothing if there are none."""
    if not others:
        return ()
    are = "are not images" if others.total() > 1 else "is not an image"
    return (f"{describe_others(others)} in {folder.name} {are}",)


class _Listing:
    """Walks through a folder, each folder once, and sorts out what is an image."""

    def __init__(self, top: Path, unreadable: list[BadImage], others: Counter[str]) -> None:
        self.top, self.unreadable, self.others = top, unreadable, others
        self.visited: set[str] = set()

    def entries(self, below: str) -> Iterator[str]:
        """The image files and the folders in a folder, sorted, relative to the top; those of
        folders end in a slash."""
        here = str(self.top / below)
        if (home := os.path.realpath(here)) in self.visited:  # a link that leads back
            return
        self.visited.add(home)
        files, folders = [], set()
        try:
            with os.scandir(here) as entries:
                for entry in entries:
                    if entry.name.startswith("."):
                        continue
                    if _is_folder(entry):
                        folders.add(entry.name)
                    elif self._is_image(entry):
                        files.append(entry.name)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            self.unreadable.append(BadImage.of(str(error.filename), reason))
            return
        if (
            below
            and not files
            and not folders
            and kinds.ending_of(below[:-1]) in kinds.extensions()
        ):
            self.unreadable.append(BadImage.of(here, "it is a folder, not an image file"))
        for name in sorted([*files, *folders]):
            yield f"{below}{name}/" if name in folders else f"{below}{name}"

    def _is_image(self, entry: "os.DirEntry[str]") -> bool:
        ending = kinds.ending_of(entry.name)
        try:
            regular = entry.is_file()
        except OSError:  # a link that leads to itself
            regular = False
        if not regular:
            what = what_else(entry.path) or "gone"
            self.unreadable.append(BadImage.of(entry.path, f"it is {what}, not a file"))
            return False
        if reason := kinds.not_read(entry.name):
            self.unreadable.append(BadImage.of(entry.path, reason))
            return False
        if ending in kinds.extensions():
            return True  # the decoder says so if it is none
        try:
            prefix = kinds.read_prefix(entry.path)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            self.unreadable.append(BadImage.of(entry.path, reason))
            return False
        if reason := kinds.heic_is_not_read(prefix):
            self.unreadable.append(BadImage.of(entry.path, reason))
            return False
        if kinds.looks_like_an_image(prefix):
            return True
        self.others[ending] += 1
        return False


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False


def status_of(folder: Path, name: str) -> str:
    """Size and time of a file, for a stamp; "none" for one that is not there."""
    try:
        status = os.stat(f"{folder}/{name}")  # noqa: PTH116, a path object takes as long again
    except OSError:  # a link to nothing: the decoder will name it
        return "none"
    return f"{status.st_size} {status.st_mtime_ns}"


def read_folder(
    folder: str | Path,
    image_size: Size,
    labels: str = "auto",
    class_names: tuple[str, ...] | None = None,
    on_bad_image: str = "skip",
    cache: str | Path | None = None,
    progress: Progress | None = None,
    notes: list[str] | None = None,
    storage: Storage | None = None,
    label_list: Path | None = None,
) -> tuple[Images, list[BadImage]]:
    """Read a folder of images, recursively.

    Args:
        folder: its path; `~` is the home folder.
        image_size: each image becomes its centred square, resized to this many pixels a side; or
            its centred rectangle of the ratio of (H, W), resized.
        labels: "auto", "folders" or "none", see `class_folders`.
        class_names: names that fix the label numbers (those of training, for a test folder).
        on_bad_image: "skip" counts and names files that cannot be read, "error" stops at the first.
        cache: a folder that keeps the decoded images for later runs; None holds them in memory when
            they fit, see `cached_array`.
        progress: called with (read, all).
        notes: lines about what was left out or not used, and why, are added to it.
        storage: memory, file or encoded; None for what fits.
        label_list: a list that gives the classes of images that lie in no class folders, where
            `class_names` are known.

    Returns:
        (images, files that could not be read).

    Raises:
        UserError: for a missing or empty folder, one where no file could be read, or a cache that
            cannot be written.
    """
    folder = expanded(folder)
    unreadable: list[BadImage] = []
    stamp = Stamp(str(folder.resolve()), named(image_size))
    others: Counter[str] = Counter()
    names = find_images(folder, unreadable, stamp, others)
    check_bad(unreadable, on_bad_image)
    found = class_folders(names, labels, known=class_names is not None)
    if found is None and class_names and labels != "none" and label_list is not None:
        found = numbered(labels_by_list(label_list, names), class_names, f"The list {label_list}")
    if notes is not None:
        notes += notes_on_others(others, folder)
        if found is None and labels == "auto" and (why := why_no_labels(names)):
            notes.append(why)
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
    images, bad = read_named(
        folder,
        names,
        image_size,
        (numbers, class_names),
        stamp,
        on_bad_image=on_bad_image,
        cache=cache,
        progress=progress,
        storage=storage,
    )
    return images, unreadable + bad


def read_named(
    folder: Path,
    names: Names,
    image_size: Size,
    classes: tuple[NDArray[np.int64] | None, tuple[str, ...]],
    stamp: Stamp,
    *,
    on_bad_image: str = "skip",
    cache: str | Path | None = None,
    progress: Progress | None = None,
    storage: Storage | None = None,
    part: str = "",
) -> tuple[Images, list[BadImage]]:
    """Read image files by their names; the arguments and results that are not here are those of
    `read_folder`.

    Args:
        folder: where they lie.
        names: relative to it.
        image_size: pixels of each side.
        classes: (numbers int64 (N,) or None, names of the classes).
        stamp: of the folder and of what lies in it.
        on_bad_image, cache, progress, storage: see `read_folder`.
        part: of a list, a digest of its names; "" for a folder, in which classes are folders.
    """
    numbers, class_names = classes
    shape = (len(names), *sides_of(image_size), 3)
    if (storage or fitting(shape, cache)) == "encoded":
        return _encoded(
            folder, names, image_size, numbers, class_names, on_bad_image, progress, part
        )
    decoded = cached_array(
        shape,
        lambda out: read_all(
            range(len(names)),
            lambda position: read_image(folder / names[position], image_size),
            out,
            on_bad_image,
            progress,
            lambda position: str(folder / names[position]),
        ),
        cache,
        f"{folder.name or folder.resolve().name}-{named(image_size)}",
        stamp,
        storage=storage,
    )
    positions, bad = decoded.positions, decoded.bad
    check_bad(bad, on_bad_image)  # those of a cache that was made with "skip"
    if not len(positions):
        raise _none_read(folder, names, bad)
    if bad:
        names = names.select(positions)
        numbers = None if numbers is None else numbers[positions]
    images = Images.of(
        decoded.array, numbers, class_names if numbers is not None else (), names, decoded.kept
    )
    return images, bad


def _encoded(
    folder: Path,
    names: Names,
    size: Size,
    numbers: NDArray[np.int64] | None,
    class_names: tuple[str, ...],
    on_bad_image: str,
    progress: Progress | None,
    part: str,
) -> tuple[Images, list[BadImage]]:
    """The images as files that are decoded when they are asked for."""
    found = len(names)
    headers, positions, bad = read_headers(folder, names, progress, part)
    check_bad(bad, on_bad_image)
    if not len(positions):
        raise _none_read(folder, names, bad)
    if bad:
        names = names.select(positions)
        numbers = None if numbers is None else numbers[positions]
    array: Any = EncodedImages(
        Files(folder, names, numbers if part else None), headers, size, on_bad_image
    )
    kept = f"{found:,} files stay encoded, and are decoded when they are needed"
    classes = class_names if numbers is not None else ()
    return Images.of(array, numbers, classes, names, kept), bad


def _none_read(folder: Path, names: Names, bad: list[BadImage]) -> UserError:
    return UserError(
        f"None of the {len(names)} image files in {str(folder)!r} could be read; the first:"
        f" {bad[0].path} ({bad[0].reason}): give a folder of whole images."
    )
