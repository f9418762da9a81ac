"""Which way up the photographs of a folder are, and upright copies of them."""

import contextlib
import csv
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import UnidentifiedImageError

from rotkeras.data.decode import Progress, ordered_map
from rotkeras.data.folder import find_images as listed_images
from rotkeras.data.folder import notes_on_others
from rotkeras.data.source import BadImage
from rotkeras.device.orienter import Orienter
from rotkeras.device.upright import check_folder, write_upright
from rotkeras.errors import UserError, brief
from rotkeras.files import as_text, check_regular, expanded, is_full, write_whole
from rotkeras.images import open_image, orientation, read_image

COLUMNS = ("path", "angle", "confidence", "exif_orientation", "action", "written", "reason")


@dataclass
class Oriented:
    """What was predicted for one image, and done with it.

    Attributes:
        path: in the folder of the images.
        angle: degrees counter-clockwise by which it appears turned; None for a file that cannot be
            read.
        confidence: the probability of this angle.
        exif_orientation: 1 … 8; 1 without the tag.
        action: "upright", "turned", "unsure" or "unreadable".
        written: how its copy was made: "tag", "pixels", "re-encoded" or "unchanged"; "" without a
            copy.
        reason: why it could not be read, or put upright.
    """

    path: Path
    angle: int | None = None
    confidence: float = 0.0
    exif_orientation: int = 1
    action: str = "unreadable"
    written: str = ""
    reason: str = ""


@dataclass
class Wishes:
    """What is to be done with the answers.

    Attributes:
        fix: the folder for upright copies, or None.
        confidence: below it, an image is unsure, and never turned.
        single_look: one look at each image instead of one in each turn.
        pixels: turn pixels rather than set the orientation tag.
        copy_all: copy the images that are not turned too, unchanged.
        overwrite: replace copies that are there.
    """

    fix: Path | None = None
    confidence: float = 0.9
    single_look: bool = False
    pixels: bool = False
    copy_all: bool = False
    overwrite: bool = False


@dataclass
class Found:
    """The images of a folder, or one image, before they are read.

    Attributes:
        given: the folder, or the file.
        folder: where they lie.
        paths: of the images, in the folder.
        skipped: folders that may not be read, and files that are not.
        notes: lines on other files.
    """

    given: Path
    folder: Path
    paths: list[Path]
    skipped: list[BadImage] = field(default_factory=list)
    notes: tuple[str, ...] = ()


def find_images(images: Path) -> Found:
    """List the images of a folder, recursively, or take one file.

    Raises:
        UserError: when nothing is there, or no image.
    """
    images = expanded(images)
    check_regular(images)
    if images.is_file():
        return Found(images, images.parent, [Path(images.name)])
    if not images.exists():
        raise UserError(
            f"{str(images)!r} does not exist. Give the path of an image file or of a folder of"
            " images."
        )
    found = Found(images, images, [])
    others: Counter[str] = Counter()
    names = listed_images(images, found.skipped, None, others)
    found.paths = [Path(name) for name in names]
    found.notes = notes_on_others(others, images)
    return found


def check_copies(images: Found, folder: Path, overwrite: bool = False) -> None:
    """Check, before any work, that copies may be written to a folder, and make it.

    Raises:
        UserError: when copies could replace originals or be taken for originals the next time, or
            the folder holds files or cannot be made.
    """
    check_folder(folder, images.given, overwrite)
    where = folder.resolve()
    for path in images.paths:
        # By a link, an original may lie where a copy goes.
        if where in (original := (images.folder / path).resolve()).parents:
            raise UserError(
                f"The image {str(original)!r} lies in {str(folder)!r}. Give a folder that holds"
                " none of the originals."
            )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"The folder {str(folder)!r} cannot be made ({brief(error)}): give another path."
        ) from error


def orient(
    orienter: Orienter, images: Found, wishes: Wishes, progress: Progress | None = None
) -> list[Oriented]:
    """Tell which way up images are, and write the copies that are wished for.

    Args:
        orienter: a network.
        images: of `find_images`.
        wishes: what to do with the answers; `fix` was checked by `check_copies`.
        progress: called with (images done, images in all).

    Returns:
        An `Oriented` for each image, in order. A file that cannot be read, or put upright without
        harm, stops nothing: it has a reason.
    """
    results = []
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # damaged EXIF blocks warn once a file; the pixels are what counts
        for each, pixels in _read(images, orienter.input_size):
            if pixels is not None:
                (answer,) = orienter.orient(pixels, single_look=wishes.single_look)
                each.angle, each.confidence = answer.angle, answer.confidence
                each.action = (
                    "unsure"
                    if each.confidence < wishes.confidence
                    else "turned"
                    if each.angle
                    else "upright"
                )
            if wishes.fix is not None:
                _write(each, images.folder, wishes.fix, wishes)
            results.append(each)
            if progress:
                progress(len(results), len(images.paths))
    return results


def write_table(file: Path, results: list[Oriented]) -> None:
    """Write a CSV file (UTF-8) with the columns `COLUMNS`; angle and confidence are empty for files
    that cannot be read."""

    def write(working: Path) -> None:
        with open(working, "w", newline="", encoding="utf-8") as stream:
            table = csv.writer(stream)
            table.writerow(COLUMNS)
            for each in results:
                answer = (
                    ("", "", "")
                    if each.angle is None
                    else (each.angle, f"{each.confidence:.4f}", each.exif_orientation)
                )
                name = as_text(each.path.as_posix())
                reason = as_text(each.reason)
                table.writerow([name, *answer, each.action, each.written, reason])

    try:
        write_whole(file, write)
    except OSError as error:
        raise UserError(
            f"{str(file)!r} could not be written ({brief(error)}): make room, or give another path."
        ) from error


def _write(each: Oriented, originals: Path, folder: Path, wishes: Wishes) -> None:
    wrong = each.action == "turned" or (
        wishes.pixels and each.action == "upright" and each.exif_orientation != 1
    )
    if not wrong and not wishes.copy_all:
        return
    source, target = originals / each.path, folder / each.path
    angle = each.angle or 0 if wrong else 0
    try:
        each.written = write_upright(
            source, target, angle, pixels=wishes.pixels and wrong, overwrite=wishes.overwrite
        )
    except UserError as error:
        if is_full(error):
            raise
        each.reason = each.reason or str(error).removeprefix(f"{source.name}: ")
        if wishes.copy_all and wrong:
            with contextlib.suppress(UserError):  # the first reason says more
                each.written = write_upright(source, target, 0, overwrite=wishes.overwrite)


def _read(images: Found, size: int) -> Iterator[tuple[Oriented, NDArray[np.uint8] | None]]:
    def read(path: Path) -> tuple[NDArray[np.uint8], int]:
        with open_image(images.folder / path) as image:
            way = orientation(image)
        return read_image(images.folder / path, size), way

    for path, result in zip(images.paths, ordered_map(read, images.paths), strict=True):
        if isinstance(result, Exception):
            reason = (
                "its content is not an image"
                if isinstance(result, UnidentifiedImageError)
                else brief(result)
            )
            yield Oriented(path, reason=reason), None
        else:
            yield Oriented(path, exif_orientation=result[1]), result[0]
