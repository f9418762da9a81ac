"""Boxes in VOC's XML files: a devkit of several years, the folder of one year, or files beside
their images.

Reference:
    Everingham et al., The PASCAL Visual Object Classes Challenge 2007 Development Kit, sections 3
    and 8: coordinates are 1-based, and right and bottom belong to the box.
"""

import os
import re
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

from rotkeras.data.folder_layout import PARTS
from rotkeras.errors import brief
from rotkeras.files import as_text
from rotkeras.images import formats
from rotkeras.transfer.detect.written import Layout, Written, WrittenBox, WrittenImage, number
from rotkeras.transfer.faults import Faults

_LISTS = {"train": "train", "val": "validation", "test": "test"}
_YEAR = re.compile(r"VOC\d{4}")


def find_years(folder: Path) -> Layout | None:
    """The layout of a VOCdevkit, or of one of its years; None for another folder."""
    if _is_year(folder):
        years = [folder]
    else:
        top = folder / "VOCdevkit" if (folder / "VOCdevkit").is_dir() else folder
        years = sorted(
            each for each in top.iterdir() if _YEAR.fullmatch(each.name) and _is_year(each)
        )
    if not years:
        return None
    lists = {year: _lists(year) for year in years}
    said = ", ".join(
        f"{as_text(year.name)} ({', '.join(f'{file} is {part}' for part, file, _ in found)})"
        for year, found in lists.items()
    )
    return Layout("VOC", f"VOC's folders: {said}", partial(_read_years, lists))


def find_beside(folder: Path) -> Layout | None:
    """The layout of images with an XML file beside each, flat or in folders of parts; None for
    another folder."""
    parts = {
        PARTS[each.name.lower()]: each
        for each in sorted(folder.iterdir())
        if each.name.lower() in PARTS and each.is_dir() and _holds_xml(each)
    }
    if _holds_xml(folder):
        parts = {"train": folder}
    if not parts:
        return None
    said = ", ".join(f"{as_text(each.name)}/ is {part}" for part, each in parts.items())
    return Layout("XML", f"images with VOC's XML beside each: {said}", partial(_read_beside, parts))


def _is_year(folder: Path) -> bool:
    return (folder / "Annotations").is_dir() and (folder / "JPEGImages").is_dir()


def _holds_xml(folder: Path) -> bool:
    return any(each.suffix.lower() == ".xml" for each in folder.iterdir())


def _lists(year: Path) -> list[tuple[str, str, tuple[str, ...]]]:
    """(part, what says so, stems of its images) of each part of a year."""
    sets = year / "ImageSets" / "Main"
    found = [
        (part, f"{name}.txt", _stems(sets / f"{name}.txt"))
        for name, part in _LISTS.items()
        if (sets / f"{name}.txt").is_file()
    ]
    listed = {part for part, _, _ in found}
    if "test" in listed and (sets / "trainval.txt").is_file():
        # As published: trained on trainval, tested on test.
        found = [each for each in found if each[0] == "test"]
        return [("train", "trainval.txt", _stems(sets / "trainval.txt")), *found]
    if "train" not in listed and (sets / "trainval.txt").is_file():
        # What a val.txt beside it names is validated on, and not trained on.
        apart = {stem for part, _, stems in found if part == "validation" for stem in stems}
        stems = tuple(each for each in _stems(sets / "trainval.txt") if each not in apart)
        what = "trainval.txt without val.txt" if apart else "trainval.txt"
        found.insert(0, ("train", what, stems))
    if not found:
        names = sorted(each.stem for each in (year / "Annotations").glob("*.xml"))
        found = [("train", "all of Annotations/", tuple(names))]
    return found


def _stems(file: Path) -> tuple[str, ...]:
    """The first word of each line: lists of one class have 1, 0 or -1 behind it."""
    text = file.read_text(encoding="utf-8-sig", errors="surrogateescape")
    return tuple(line.split()[0] for line in text.splitlines() if line.strip())


def _images(folder: Path) -> dict[str, str]:
    """Stem -> file name of the images in a folder; of several, JPEG's first."""
    endings = formats.extensions()
    with os.scandir(folder) as entries:
        names = [each.name for each in entries if formats.ending_of(each.name) in endings]
    names.sort(key=lambda name: (formats.ending_of(name) in (".jpg", ".jpeg"), name))
    return {name.rpartition(".")[0]: name for name in names}


def _read_years(
    lists: dict[Path, list[tuple[str, str, tuple[str, ...]]]], faults: Faults
) -> Written:
    parts: dict[str, list[WrittenImage]] = {}
    for year, found in lists.items():
        images = _images(year / "JPEGImages")
        for part, _, stems in found:
            pairs = (
                (
                    year / "JPEGImages" / images.get(stem, f"{stem}.jpg"),
                    year / "Annotations" / f"{stem}.xml",
                )
                for stem in stems
            )
            parts.setdefault(part, []).extend(_read_pairs(pairs, faults))
    return Written(parts)


def _read_beside(parts: dict[str, Path], faults: Faults) -> Written:
    read = {}
    for part, folder in parts.items():
        images = _images(folder)
        stems = {each.stem for each in folder.iterdir() if each.suffix.lower() == ".xml"}
        pairs = (
            (folder / images.get(stem, f"{stem}.jpg"), folder / f"{stem}.xml")
            for stem in sorted(stems | set(images))
        )
        read[part] = _read_pairs(pairs, faults)
    return Written(read)


def _read_pairs(pairs: Iterable[tuple[Path, Path]], faults: Faults) -> list[WrittenImage]:
    """The images whose XML file can be read."""
    found = []
    for image, file in pairs:
        place = as_text(str(file))
        try:
            root = ElementTree.parse(file).getroot()
        except FileNotFoundError:
            faults.add("images have no annotation file and are left out", as_text(str(image)))
        except (ElementTree.ParseError, OSError, ValueError, LookupError) as error:
            faults.add(
                "annotation files cannot be read, and their images are left out",
                f"{place} ({brief(error)})",
            )
        else:
            # Of the direct children alone: the parts of a person are boxes inside of its object.
            boxes = tuple(_box(each) for each in root.findall("object"))
            found.append(WrittenImage(image, place, boxes, _size(root)))
    return found


def _box(element: ElementTree.Element) -> WrittenBox:
    left, top, right, bottom = (
        number(element.findtext(f"bndbox/{name}")) for name in ("xmin", "ymin", "xmax", "ymax")
    )
    return WrittenBox(
        (element.findtext("name") or "").strip(),
        (left - 1, top - 1, right, bottom),
        (element.findtext("difficult") or "").strip() == "1",
    )


def _size(root: ElementTree.Element) -> tuple[int, int] | None:
    """None too where a tool wrote zeros for a size that it did not know."""
    height, width = (number(root.findtext(f"size/{name}")) for name in ("height", "width"))
    return (int(height), int(width)) if height >= 1 and width >= 1 else None
