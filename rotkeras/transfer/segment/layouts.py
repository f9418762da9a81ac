"""How photographs and masks lie in folders: PASCAL VOC's layout, and folders of equal names."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rotkeras.data.folder_layout import PARTS
from rotkeras.errors import UserError
from rotkeras.files import as_text
from rotkeras.images.formats import ending_of, extensions
from rotkeras.transfer.faults import Faults

_IMAGES = ("images", "imgs")
_MASKS = ("masks", "labels", "annotations")
_VOC_IMAGES, _VOC_MASKS, _VOC_LISTS = "JPEGImages", "SegmentationClass", "ImageSets/Segmentation"

AGAIN = "images are named again, and are used once"
NO_MASK = "images have no mask (left out)"
NO_IMAGE = "masks or names of lists have no image (left out)"


@dataclass(frozen=True)
class Pair:
    """A photograph and its mask."""

    image: Path
    mask: Path


@dataclass
class Layout:
    """Where a set's files are.

    Attributes:
        home: the folder whose `classes.txt` or `labels.txt` names the classes.
        description: what was recognised, one line.
        parts: "train", "validation", "test" -> pairs, in the order of the list or of names.
        is_voc: whether it is PASCAL VOC's layout.
        notes: lines on what was chosen.
    """

    home: Path
    description: str
    parts: dict[str, list[Pair]]
    is_voc: bool
    notes: list[str]


def find_layout(folder: Path, faults: Faults) -> Layout:
    """Recognise the layout of a folder.

    Args:
        folder: one year of a VOCdevkit, a folder that holds such, or one with photographs in
            `images` and masks in `masks`, `labels` or `annotations`, with or without `train`, `val`
            and `test` above or below these.
        faults: takes what has no partner, and what is named again.

    Raises:
        UserError: for a folder of another layout.
    """
    if not folder.is_dir():
        what = "is no folder" if folder.exists() else "does not exist"
        raise UserError(f"The folder {as_text(str(folder))!r} of masks {what}. Give another.")
    years = [folder] if _is_year(folder) else [each for each in _below(folder) if _is_year(each)]
    found = _voc(years, faults) if years else _plain(folder, faults)
    if found is None:
        raise UserError(
            f"The folder {as_text(str(folder))!r} holds no masks: it must have"
            f" {_VOC_IMAGES}, {_VOC_MASKS} and {_VOC_LISTS} as PASCAL VOC has, or photographs in"
            f" images and masks of the same names in {', '.join(_MASKS[:-1])} or {_MASKS[-1]}, with"
            " train, val and test above or below these if it has parts."
        )
    return found


def _below(folder: Path) -> Iterator[Path]:
    yield from _folders(folder)
    if (folder / "VOCdevkit").is_dir():
        yield from sorted((folder / "VOCdevkit").iterdir())


def _is_year(folder: Path) -> bool:
    return (folder / _VOC_IMAGES).is_dir() and (folder / _VOC_MASKS).is_dir()


def _voc(years: list[Path], faults: Faults) -> Layout:
    """The layout of one year: the last, which holds the images of those before it."""
    year = years[-1]
    notes = []
    if len(years) > 1:
        others = ", ".join(as_text(each.name) for each in years[:-1])
        notes.append(
            f"{as_text(year.name)} is used, and not {others}: later years hold images of earlier"
            " ones again"
        )
    images = _by_stem(year / _VOC_IMAGES, faults)
    masks = _by_stem(year / _VOC_MASKS, faults)
    lists = {name: _names(year / _VOC_LISTS / f"{name}.txt") for name in _LISTS}
    if lists["train"] and lists["val"]:
        chosen = {"train": lists["train"], "validation": lists["val"]}
    elif training := lists["trainval"] or lists["train"]:
        chosen = {"train": training, "validation": lists["val"]}
    else:
        chosen = {"train": list(masks)}
        notes.append(f"there is no list in {_VOC_LISTS}: every mask is of training")
    chosen["test"] = lists["test"]
    parts: dict[str, list[Pair]] = {}
    seen: set[str] = set()
    for part, names in chosen.items():
        stems = [_stem_of(name, images) for name in names]
        if stems and not any(stem in masks for stem in stems):
            # As VOC is given away since 2008: one line, and not one fault for each image.
            notes.append(f"the {part} part has no masks, and is left out")
            continue
        parts[part] = list(_paired(stems, images, masks, seen, faults))
    return Layout(year, f"PASCAL VOC's layout in {as_text(year.name)}", parts, True, notes)


_LISTS = ("train", "val", "trainval", "test")


def _names(file: Path) -> list[str]:
    """The lines of a list that name an image; [] where there is no list."""
    if not file.is_file():
        return []
    lines = file.read_text(encoding="utf-8-sig", errors="surrogateescape").splitlines()
    return [line.strip() for line in lines if line.strip()]


def _stem_of(name: str, images: dict[str, Path]) -> str:
    """The image that a line of a list names: by its name, or by a path before white space."""
    return name if name in images else Path(name.split()[0]).stem


def _plain(folder: Path, faults: Faults) -> Layout | None:
    """The layout of folders of equal names; None for another."""
    pair = _pair_of_folders(folder)
    if pair is not None:
        images, masks = pair
        below = {part: each for each, part in _parts(images)}
        mask_parts = {part: each for each, part in _parts(masks)}
        where = f"{images.name}/ and {masks.name}/"
        places = {part: (below[part], mask_parts[part]) for part in below if part in mask_parts}
        places = places or {"train": pair}
    else:
        within = {part: _pair_of_folders(each) for each, part in _parts(folder)}
        places = {part: each for part, each in within.items() if each is not None}
        if "train" not in places:
            return None
        images, masks = places["train"]
        where = f"{images.name}/ and {masks.name}/ in each part"
    parts: dict[str, list[Pair]] = {}
    for part in ("train", "validation", "test"):
        if part in places:
            of_images, of_masks = (_by_stem(each, faults) for each in places[part])
            stems = sorted({*of_images, *of_masks})
            parts[part] = list(_paired(stems, of_images, of_masks, set(), faults))
    return Layout(folder, f"files of the same names in {where}", parts, False, [])


def _folders(folder: Path) -> list[Path]:
    return sorted(each for each in folder.iterdir() if each.is_dir())


def _parts(folder: Path) -> list[tuple[Path, str]]:
    return [
        (each, PARTS[each.name.lower()]) for each in _folders(folder) if each.name.lower() in PARTS
    ]


def _pair_of_folders(folder: Path) -> tuple[Path, Path] | None:
    """The folders of photographs and of masks in a folder."""
    there = {each.name.lower(): each for each in _folders(folder)}
    images = next((there[name] for name in _IMAGES if name in there), None)
    masks = next((there[name] for name in _MASKS if name in there), None)
    return None if images is None or masks is None else (images, masks)


def _by_stem(folder: Path, faults: Faults) -> dict[str, Path]:
    """The image files of a folder by their name without ending, sorted."""
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or ending_of(path.name) not in extensions():
            continue
        if path.stem in found:
            faults.add(AGAIN, as_text(str(path)))
        else:
            found[path.stem] = path
    return found


def _paired(
    stems: list[str],
    images: dict[str, Path],
    masks: dict[str, Path],
    seen: set[str],
    faults: Faults,
) -> Iterator[Pair]:
    """The pairs of some names that are not seen yet."""
    for stem in stems:
        if stem in seen:
            faults.add(AGAIN, as_text(stem))
        elif stem not in images:
            faults.add(NO_IMAGE, as_text(stem))
        elif stem not in masks:
            faults.add(NO_MASK, as_text(str(images[stem])))
        else:
            seen.add(stem)
            yield Pair(images[stem], masks[stem])
