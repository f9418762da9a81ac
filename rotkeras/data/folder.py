"""A folder of image files: class folders, or photographs without labels, flat or nested."""

import os
from pathlib import Path

import numpy as np

from rotkeras.data.cache import cached_array
from rotkeras.data.decode import Progress, check_bad, read_all
from rotkeras.data.source import BadImage, Images
from rotkeras.errors import UserError
from rotkeras.images import read_image

EXTENSIONS = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp")


def check_folder(folder: Path) -> None:
    """Raise a `UserError` when a folder of images is not there."""
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "does not exist"
        raise UserError(f"The image folder {str(folder)!r} {what}: expected a folder of images; give the path of one.")


def list_images(folder: Path, unreadable: list[BadImage] | None = None) -> list[Path]:
    """Every image file below a folder, relative to it, sorted; hidden files and folders are left out.

    Args:
        folder: where to look.
        unreadable: folders that may not be read are added to it.

    Raises:
        UserError: when the folder is not there or holds no image.
    """
    check_folder(folder)
    found = []
    visited = set()
    errors: list[OSError] = []
    for parent, folders, files in os.walk(folder, followlinks=True, onerror=lambda error: errors.append(error)):
        if (home := os.path.realpath(parent)) in visited:  # a link that leads back
            folders.clear()
            continue
        visited.add(home)
        folders[:] = sorted(each for each in folders if not each.startswith("."))
        for name in files:
            if not name.startswith(".") and name.lower().endswith(EXTENSIONS):
                found.append(Path(parent, name).relative_to(folder))
    if unreadable is not None:
        unreadable += [BadImage(str(error.filename), (error.strerror or str(error)).lower()) for error in errors]
    if not found:
        raise UserError(
            f"The image folder {str(folder)!r} holds no image: expected files that end in {', '.join(EXTENSIONS)}, "
            f"in it or below it; give another folder."
        )
    return sorted(found)


def class_folders(paths: list[Path], labels: str, known: bool = False) -> list[str] | None:
    """The class of each image, or None when the folder has no classes.

    Args:
        paths: relative to the folder.
        labels: "folders": the first folder below the top is the class. "none": no labels. "auto": classes when every
            image lies exactly one folder deep and there are at least two folders of at least two images on average;
            anything else is taken as unlabelled, never as one class per image.
        known: whether the classes are given already; then "auto" asks only that every image lies one folder deep.
    """
    if labels == "none":
        return None
    classes = [path.parts[0] for path in paths if len(path.parts) > 1]
    if labels == "folders":
        if len(classes) < len(paths):
            raise UserError(
                "labels: folders needs every image inside a class folder, but some lie at the top of the image folder: "
                "move them into class folders, or set labels to none."
            )
        return classes
    one_deep = all(len(path.parts) == 2 for path in paths)
    if known:
        return classes if one_deep else None
    distinct = len(set(classes))
    return classes if one_deep and distinct >= 2 and len(paths) >= 2 * distinct else None


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
        cache: a folder that keeps the decoded images, memory-mapped and used again by later runs; None for memory.
        progress: called with (read, all).

    Returns:
        (images, files that could not be read).

    Raises:
        UserError: for a missing or empty folder, or one where no file could be read.
    """
    folder = Path(folder).expanduser()
    unreadable: list[BadImage] = []
    paths = list_images(folder, unreadable)
    check_bad(unreadable, on_bad_image)
    classes = class_folders(paths, labels, known=class_names is not None)
    if class_names is None:
        class_names = tuple(sorted(set(classes or ())))
    elif classes and (unknown := sorted(set(classes) - set(class_names))):
        raise UserError(
            f"The folder {str(folder)!r} has the class folder {unknown[0]!r}, which training does not have "
            f"({', '.join(class_names)}): give both folders the same classes."
        )
    stamp = [str(folder.resolve()), str(image_size), *(_stamp(folder, path) for path in paths)]
    array, kept, bad = cached_array(
        (len(paths), image_size, image_size, 3),
        lambda out: read_all(
            [folder / path for path in paths], lambda path: read_image(path, image_size), out, on_bad_image, progress
        ),
        cache,
        f"{folder.name}-{image_size}",
        stamp,
    )
    check_bad(bad, on_bad_image)  # those of a cache that was made with "skip"
    if not kept:
        raise UserError(
            f"None of the {len(paths)} image files in {str(folder)!r} could be read; the first: {bad[0].path} "
            f"({bad[0].reason}): give a folder of whole images."
        )
    numbers = {name: number for number, name in enumerate(class_names)}
    label_array = None if classes is None else np.array([numbers[classes[position]] for position in kept], np.int64)
    names = [str(paths[position]) for position in kept]
    return Images.of(array, label_array, class_names if classes else (), names), unreadable + bad


def _stamp(folder: Path, path: Path) -> str:
    try:
        status = (folder / path).stat()
    except OSError:  # a link to nothing: the decoder will name it
        return f"{path} none"
    return f"{path} {status.st_size} {status.st_mtime_ns}"
