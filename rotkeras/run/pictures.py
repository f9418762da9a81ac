"""The pictures that a task has drawn of what its trained network answers, in the run folder."""

import json
import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rotkeras.errors import UserError
from rotkeras.files import beside, unfinished, write_json
from rotkeras.pretext.pictures import Picture

LIST = "pictures.json"
"""The file that names the pictures of a folder, and holds their tables."""

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


@dataclass(frozen=True)
class Kept:
    """A picture of a run.

    Attributes:
        name: of the picture.
        caption: one sentence.
        file: a PNG file; None for a table.
        counts: rows the true class, columns the answer; None for pixels.
        class_names: of `counts`.
    """

    name: str
    caption: str
    file: Path | None
    counts: list[list[int]] | None
    class_names: tuple[str, ...]


def write_pictures(folder: Path, pictures: Sequence[Picture]) -> None:
    """Write pictures into a folder of their own, all of them or none; those of before go.

    Args:
        folder: `Run.pictures`.
        pictures: of a task.

    Raises:
        UserError: for a picture that is none, or has the name of another.
    """
    for number, picture in enumerate(pictures):
        _check(picture, [each.name for each in pictures[:number]])
    folder.parent.mkdir(parents=True, exist_ok=True)
    for left in folder.parent.glob(f".part-*-{folder.name}"):  # of a process that was killed
        shutil.rmtree(left, ignore_errors=True)
    if not pictures:
        shutil.rmtree(folder, ignore_errors=True)
        return
    with unfinished(beside(folder)) as working:
        working.mkdir()
        write_json(working / LIST, [_written(picture, working) for picture in pictures])
        if folder.exists():
            with unfinished(folder.with_name(f".part-{os.getpid()}-old-{folder.name}")) as old:
                os.replace(folder, old)
                os.replace(working, folder)
        else:
            os.replace(working, folder)


def read_pictures(folder: Path) -> list[Kept]:
    """The pictures of a folder; none where there is none.

    Raises:
        UserError: for a folder whose list is damaged, or lacks a picture.
    """
    path = folder / LIST
    if not path.exists():
        return []
    try:
        found = [_read(each, folder) for each in json.loads(path.read_text(encoding="utf-8"))]
    except (ValueError, KeyError, TypeError, OSError):
        raise UserError(
            f"{path} is damaged. Delete the folder, or train again with --overwrite."
        ) from None
    for each in found:
        if each.file is not None and not each.file.is_file():
            raise UserError(f"{each.file} is missing. Restore it, or delete the folder {folder}.")
    return found


def _check(picture: Any, before: Sequence[str]) -> None:
    if not isinstance(picture, Picture):
        raise UserError(
            "A task's pictures() must return rotkeras.pretext.pictures.Picture objects, got"
            f" {type(picture).__name__}."
        )
    name, pixels, counts = picture.name, picture.pixels, picture.counts
    if not _NAME.fullmatch(name) or name in before:
        raise UserError(
            f"The name of a picture must be of lower-case words joined by '-', and no other's, got"
            f" {name!r}."
        )
    if (pixels is None) == (counts is None):
        raise UserError(f"The picture {name!r} must have pixels or counts, and one of the two.")
    if pixels is not None and (
        pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size
    ):
        raise UserError(f"The pixels of the picture {name!r} must be uint8 (H, W, 3).")
    classes = len(picture.class_names)
    if counts is not None and np.shape(counts) != (classes, classes):
        raise UserError(
            f"The counts of the picture {name!r} must be (K, K) for its K class_names, got"
            f" {np.shape(counts)} for {classes}."
        )


def _written(picture: Picture, folder: Path) -> dict[str, Any]:
    from PIL import Image

    file = None
    if picture.pixels is not None:
        file = f"{picture.name}.png"
        Image.fromarray(picture.pixels).save(folder / file, optimize=True)
    return {
        "name": picture.name,
        "caption": picture.caption,
        "file": file,
        "counts": None if picture.counts is None else np.asarray(picture.counts).tolist(),
        "class_names": list(picture.class_names),
    }


def _read(content: dict[str, Any], folder: Path) -> Kept:
    if not _NAME.fullmatch(content["name"]):
        raise ValueError(content["name"])
    file, counts, names = content["file"], content["counts"], tuple(content["class_names"])
    if file is not None and file != f"{content['name']}.png":  # no path that leads elsewhere
        raise ValueError(file)
    if (file is None) == (counts is None):
        raise ValueError(content["name"])
    if counts is not None and [len(row) for row in counts] != [len(names)] * len(names):
        raise ValueError(counts)
    return Kept(
        content["name"], content["caption"], None if file is None else folder / file, counts, names
    )
