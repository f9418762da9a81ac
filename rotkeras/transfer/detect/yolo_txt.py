"""Boxes in YOLO's text files, one for each image.

Reference:
    https://docs.ultralytics.com/datasets/detect: a line is a class number, the centre's column and
    row, width and height, in shares of the sides; or a class number and the corners of a polygon.
    An image without a text file has no object.
"""

import math
import os
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from rotkeras.data.folder_layout import PARTS
from rotkeras.errors import UserError, brief
from rotkeras.files import as_text
from rotkeras.images import formats
from rotkeras.transfer.class_file import names_of
from rotkeras.transfer.detect.written import Layout, Written, WrittenBox, WrittenImage, number
from rotkeras.transfer.faults import Faults

_KEYS = {"train": "train", "val": "validation", "validation": "validation", "test": "test"}


def find_yolo(path: Path) -> Layout | None:
    """The layout of a YAML file with names and parts, of a folder that has one, or of images/ and
    labels/ with or without folders of parts; None for another path.

    Raises:
        UserError: for a YAML file that is given and has no names, and where the names of the
            classes are nowhere.
    """
    file, content = _yaml(path)
    folder = path if path.is_dir() else path.parent
    named = {part: content[key] for key, part in _KEYS.items() if content.get(key)}
    top = _top(folder, content)
    if named:
        images = {part: _listed(top, value) for part, value in named.items()}
    else:
        images = _folders(folder)
    if file is None and not images:
        return None
    names = _names(content) or _lines_of_names(folder)
    if not images or not names:
        what = "the parts (train, val)" if names else "the names of the classes"
        raise UserError(
            f"{as_text(str(path))!r} looks like YOLO's layout, but {what} are missing. Give a"
            " data.yaml with names, train and val, or a classes.txt with one name on each line."
        )
    said = ", ".join(f"{part} has {len(found):,} images" for part, found in images.items())
    source = f" by {as_text(file.name)}" if file else ""
    return Layout("YOLO", f"YOLO's text files{source}: {said}", partial(_read, images, names))


def _yaml(path: Path) -> tuple[Path | None, dict[str, Any]]:
    """The YAML file that names classes, and its content; (None, {}) where there is none."""
    files = [path] if path.is_file() else sorted([*path.glob("*.yaml"), *path.glob("*.yml")])
    files.sort(key=lambda each: each.stem != "data")
    for file in files:
        try:
            content = yaml.safe_load(file.read_text(encoding="utf-8"))
        except (OSError, ValueError, yaml.YAMLError) as error:
            if file == path or file.stem == "data":
                raise UserError(
                    f"{as_text(str(file))!r} cannot be read as YAML ({brief(error)}). Fix it."
                ) from error
            continue
        if isinstance(content, dict) and _names(content):
            return file, content
    return (path, {}) if path.is_file() else (None, {})


def _names(content: dict[str, Any]) -> dict[int, str]:
    """Number -> name of the classes."""
    names = content.get("names")
    if isinstance(names, list):
        return dict(enumerate(map(str, names)))
    if isinstance(names, dict):
        return {int(key): str(names[key]) for key in names if str(key).isdecimal()}
    return {}


def _lines_of_names(folder: Path) -> dict[int, str]:
    for file in (folder / "classes.txt", folder / "labels" / "classes.txt"):
        if file.is_file():
            return dict(enumerate(names_of(file)))
    return {}


def _top(folder: Path, content: dict[str, Any]) -> Path:
    """Where paths of a YAML file begin: at its `path` if that is there, or else beside it."""
    written = content.get("path")
    if isinstance(written, str) and (folder / written).is_dir():
        return folder / written
    return folder


def _listed(top: Path, value: object) -> list[Path]:
    """The images of a part: of a folder, of a text file that lists them, or of several of those."""
    found: list[Path] = []
    for each in value if isinstance(value, list) else [value]:
        place = top / str(each)
        if not place.exists() and str(each).startswith("../"):
            place = top / str(each)[len("../") :]  # Roboflow's files are one folder off
        if place.is_file():
            text = place.read_text(encoding="utf-8-sig", errors="surrogateescape")
            lines = [line.strip() for line in text.splitlines()]
            # Lines that begin with ./ are relative to their list.
            found += [
                (place.parent if line.startswith("./") else top) / line for line in lines if line
            ]
        else:
            found += _images_below(place)
    return found


def _images_below(folder: Path) -> list[Path]:
    """The image files below a folder, sorted; none where it is missing."""
    endings = formats.extensions()
    return sorted(
        Path(top, name)
        for top, _, names in os.walk(folder)
        for name in names
        if formats.ending_of(name) in endings
    )


def _folders(folder: Path) -> dict[str, list[Path]]:
    """The images of the parts in images/, where labels/ lies beside it."""
    top = folder / "images"
    if not top.is_dir() or not (folder / "labels").is_dir():
        return {}
    found = {
        PARTS[each.name.lower()]: _images_below(each)
        for each in sorted(top.iterdir())
        if each.is_dir() and each.name.lower() in PARTS
    }
    return found or {"train": _images_below(top)}


def _label_file(image: Path) -> Path:
    """The last folder images/ of a path becomes labels/; where there is none, it lies beside."""
    parts = list(image.with_suffix(".txt").parts)
    places = [place for place, each in enumerate(parts[:-1]) if each == "images"]
    if places:
        parts[places[-1]] = "labels"
    return Path(*parts)


def _read(images: dict[str, list[Path]], names: dict[int, str], faults: Faults) -> Written:
    parts = {
        part: [found for path in paths if (found := _image(path, names, faults))]
        for part, paths in images.items()
    }
    ordered = [names[each] for each in sorted(names)]
    return Written(parts, tuple(dict.fromkeys(ordered)))


def _image(path: Path, names: dict[int, str], faults: Faults) -> WrittenImage | None:
    """An image with its lines; None where its text file is there and cannot be read."""
    file = _label_file(path)
    place = as_text(str(file))
    boxes: list[WrittenBox] = []
    try:
        lines = file.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    except FileNotFoundError:
        lines = []  # no object, says the format
    except OSError as error:
        faults.add(
            "annotation files cannot be read, and their images are left out",
            f"{place} ({brief(error)})",
        )
        return None
    for order, line in enumerate(lines, 1):
        words = line.split()
        # Six words are a prediction with its score, and no annotation.
        if len(words) == 5 or (len(words) >= 7 and len(words) % 2):
            boxes.append(_box(words, names))
        elif words:
            faults.add("lines are no box and are left out", f"{place} (line {order})")
    return WrittenImage(path, place, tuple(boxes), shares=True)


def _box(words: list[str], names: dict[int, str]) -> WrittenBox:
    class_number = number(words[0])
    known = not math.isnan(class_number) and class_number == int(class_number)
    name = names.get(int(class_number)) if known else None
    values = [number(each) for each in words[1:]]
    if any(map(math.isnan, values)):
        corners = (math.nan,) * 4
    elif len(values) == 4:
        x, y, width, height = values
        corners = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    else:
        columns, rows = values[::2], values[1::2]
        corners = (min(columns), min(rows), max(columns), max(rows))
    return WrittenBox(f"number {words[0]}" if name is None else name, corners)
