"""Boxes in COCO's JSON files.

Reference:
    https://cocodataset.org/#format-data: bbox is [x, y, width, height] in pixels, 0-based; objects
    with iscrowd are groups, which are neither learned nor scored.
"""

import re
from functools import partial
from pathlib import Path
from typing import Any

from rotkeras.data.folder_layout import PARTS
from rotkeras.errors import brief
from rotkeras.files import as_text, read_json
from rotkeras.transfer.detect.written import Layout, Written, WrittenBox, WrittenImage, number
from rotkeras.transfer.faults import Faults

_INSTANCES = re.compile(r"instances_([a-z]+)(\d*)")
_BESIDE = "_annotations.coco.json"


def find_coco(folder: Path) -> Layout | None:
    """The layout of COCO's folders, `annotations/instances_train2017.json` with images in
    `train2017/` or `images/train2017/`; of files `_annotations.coco.json` beside the images of each
    part; None for another folder."""
    files = sorted((folder / "annotations").glob("*.json"))
    if instances := [each for each in files if _INSTANCES.fullmatch(each.stem)]:
        return _layout(folder, _latest(instances))
    files_beside = ((part, folder / name / _BESIDE) for name, part in PARTS.items())
    if beside := {part: file for part, file in files_beside if file.is_file()}:
        return _layout(folder, beside)
    return _layout(folder, _by_name(files)) if files else None


def find_loose(path: Path) -> Layout | None:
    """The layout of one JSON file, or of those that lie in a folder; None where there is none."""
    files = [path] if path.is_file() else sorted(path.glob("*.json"))
    return _layout(path if path.is_dir() else path.parent, _by_name(files)) if files else None


def _by_name(files: list[Path]) -> dict[str, Path]:
    """Part -> file, by the word for a part in its name; one file alone is training."""
    if len(files) == 1:
        return {"train": files[0]}
    found: dict[str, Path] = {}
    for file in files:
        words = re.findall("[a-z]+", file.stem.lower())
        if part := next((PARTS[word] for word in words if word in PARTS), None):
            found.setdefault(part, file)
    return found


def _latest(files: list[Path]) -> dict[str, Path]:
    """Part -> file of the last year that has training, or else of the last: the years are the same
    photographs in other parts, and together would validate on what was trained on."""
    years: dict[str, dict[str, Path]] = {}
    for file in files:
        part, year = _INSTANCES.fullmatch(file.stem).groups()  # type: ignore[union-attr]
        if part in PARTS:
            years.setdefault(year, {})[PARTS[part]] = file
    ordered = sorted(years, key=lambda year: ("train" in years[year], year))
    return years[ordered[-1]] if ordered else {}


def _layout(folder: Path, files: dict[str, Path]) -> Layout | None:
    if not files:
        return None
    said = ", ".join(f"{as_text(file.name)} is {part}" for part, file in files.items())
    return Layout("COCO", f"COCO's JSON: {said}", partial(_read, folder, files))


def _read(folder: Path, files: dict[str, Path], faults: Faults) -> Written:
    parts, names = {}, {}
    for part, file in files.items():
        place = as_text(str(file))
        try:
            content = read_json(file)
            if not isinstance(content, dict) or not isinstance(content.get("images"), list):
                raise ValueError("it has no list of images")
        except (OSError, ValueError, RecursionError) as error:
            faults.add("annotation files cannot be read", f"{place} ({brief(error)})")
            content = {"images": []}
        names[part] = _categories(content)
        parts[part] = _images(content, file, folder, part, names[part], faults)
    first = names.get("train") or next(iter(names.values()))
    return Written(parts, tuple(dict.fromkeys(first[each] for each in sorted(first))))


def _entries(content: dict[str, Any], name: str) -> list[Any]:
    found = content.get(name)
    return found if isinstance(found, list) else []


def _categories(content: dict[str, Any]) -> dict[int, str]:
    """Id -> name."""
    return {
        each["id"]: str(each["name"])
        for each in _entries(content, "categories")
        if isinstance(each, dict) and isinstance(each.get("id"), int) and "name" in each
    }


def _images(
    content: dict[str, Any],
    file: Path,
    folder: Path,
    part: str,
    categories: dict[int, str],
    faults: Faults,
) -> list[WrittenImage]:
    place = as_text(str(file))
    boxes: dict[Any, list[WrittenBox]] = {}
    images: dict[Any, dict[str, Any]] = {}
    for order, image in enumerate(content["images"]):
        if _has(image, "id", (int, str)) and _has(image, "file_name", str):
            images.setdefault(image["id"], image)
        else:
            where = f"{place} (images[{order}])"
            faults.add("entries of images lack id or file_name and are left out", where)
    for order, entry in enumerate(_entries(content, "annotations")):
        where = f"{place} (annotations[{order}])"
        if not _has(entry, "image_id", (int, str)):
            faults.add("annotations have no image_id and are left out", where)
        elif entry["image_id"] not in images:
            faults.add("annotations are of an image that is not listed and are left out", where)
        else:
            boxes.setdefault(entry["image_id"], []).append(_box(entry, categories))
    home = _home(file, folder, part, [image["file_name"] for image in images.values()])
    return [
        WrittenImage(
            home / image["file_name"],
            f"{place} ({as_text(image['file_name'])})",
            tuple(boxes.get(key, ())),
            _size(image),
        )
        for key, image in images.items()
    ]


def _has(entry: object, name: str, kind: Any) -> bool:
    return isinstance(entry, dict) and isinstance(entry.get(name), kind)


def _box(entry: dict[str, Any], categories: dict[int, str]) -> WrittenBox:
    written = entry.get("bbox")
    values = written if isinstance(written, list) and len(written) == 4 else [None] * 4
    left, top, width, height = map(number, values)
    category = entry.get("category_id")
    known = categories.get(category) if isinstance(category, int) else None
    return WrittenBox(
        f"category {category}" if known is None else known,
        (left, top, left + width, top + height),
        bool(number(entry.get("iscrowd", 0)) == 1),
    )


def _size(image: dict[str, Any]) -> tuple[int, int] | None:
    height, width = number(image.get("height")), number(image.get("width"))
    return (int(height), int(width)) if height >= 1 and width >= 1 else None


def _home(file: Path, folder: Path, part: str, names: list[str]) -> Path:
    """The folder in which the images of a file lie: the first of the usual ones that holds one of
    its first images."""
    match = _INSTANCES.fullmatch(file.stem)
    words = ["".join(match.groups()), match[1]] if match else []
    words += [word for word, each in PARTS.items() if each == part]
    tops = [folder, folder / "images", file.parent, file.parent / "images"]
    usual = [top / word for top in tops[:2] for word in words]
    places = [file.parent, *usual] if file.name == _BESIDE else [*usual, *tops]
    for place in places:
        if place.is_dir() and any((place / name).is_file() for name in names[:_TRIED]):
            return place
    return places[0]


_TRIED = 20
