"""Images that lists name, and VOC folders, whose lists lie inside: parts and classes to images."""

from collections.abc import Sequence
from pathlib import Path

from rotkeras.data.cache import Stamp, Storage, named
from rotkeras.data.decode import Progress
from rotkeras.data.folder import read_named, status_of
from rotkeras.data.lists import Listing, numbered
from rotkeras.data.names import Names
from rotkeras.data.source import BadImage, Images
from rotkeras.errors import UserError
from rotkeras.images import Size

_VOC_SETS = ("Main", "Segmentation", "Layout")
_VOC_TRAIN = {
    "trainval": (("trainval", "train"), ("test", "test")),
    "train": (("train", "train"), ("val", "validation"), ("test", "test")),
}
"""The lists of a set by that of training: (file, part)."""


def find_voc(folder: Path) -> Path | None:
    """The folder of a set of PASCAL VOC: one with JPEGImages and ImageSets, or a VOCdevkit that
    holds a single one; None for another folder.

    Raises:
        UserError: for a VOCdevkit of several years.
    """

    def is_set(place: Path) -> bool:
        return (place / "JPEGImages").is_dir() and (place / "ImageSets").is_dir()

    if is_set(folder):
        return folder
    years = sorted(each for each in folder.glob("VOC*") if is_set(each))
    if len(years) > 1:
        named = ", ".join(each.name for each in years)
        raise UserError(f"{str(folder)!r} holds {named}: give the folder of one of them.")
    return years[0] if years else None


def read_voc(folder: Path) -> tuple[Listing, str]:
    """The images of a set of PASCAL VOC, as its lists name them, and a line that says so.

    `trainval` of ImageSets/Main (or else Segmentation) is training, and `test` is the test set;
    where there is no `trainval`, `train` is training and `val` validation. An image may show
    several classes, so there are no labels.

    Raises:
        UserError: where no list of training is there.
    """
    for kind in _VOC_SETS:
        lists = folder / "ImageSets" / kind
        train = next((each for each in _VOC_TRAIN if (lists / f"{each}.txt").is_file()), None)
        if train is None:
            continue
        names, parts = Names(), []
        for file, part in _VOC_TRAIN[train]:
            path = lists / f"{file}.txt"
            for line in path.read_text().split("\n") if path.is_file() else ():
                if line.strip():
                    names.append(f"JPEGImages/{line.split()[0]}.jpg")
                    parts.append(part)
        if "train" not in parts:
            raise UserError(f"{lists / train!s}.txt names no image; complete it.")
        words = {"validation": ", val.txt is validation", "test": ", test.txt is the test set"}
        others = "".join(text for part, text in words.items() if part in parts)
        note = (
            f"VOC: {train}.txt of ImageSets/{kind} is training{others}; images have no single class"
        )
        return Listing(folder, names, None, tuple(parts)), note
    raise UserError(
        f"{str(folder)!r} looks like a set of PASCAL VOC and has no ImageSets/Main/trainval.txt;"
        " complete it, or give its JPEGImages folder."
    )


def read_listed(
    listing: Listing,
    image_size: Size,
    labels: str = "auto",
    class_names: tuple[str, ...] | None = None,
    *,
    what: str = "The list",
    on_bad_image: str = "skip",
    cache: str | Path | None = None,
    progress: Progress | None = None,
    storage: Storage | None = None,
) -> tuple[Images, list[BadImage]]:
    """The images of a listing; the arguments and results are those of
    `rotkeras.data.folder.read_folder`, and `what` names the list in errors.

    Raises:
        UserError: for a label that training does not have, and as of `read_folder`.
    """
    digest = Stamp()
    for name in listing.names:
        digest.add(name)
    part = digest.key()
    stamp = Stamp(str(listing.folder.resolve()), "listed", part, named(image_size))
    for name in listing.names:
        stamp.add(f"{name} {status_of(listing.folder, name)}")
    classes: tuple[object, Sequence[str]] = (None, ())
    if listing.labels is not None and labels != "none":
        classes = numbered(listing.labels, class_names, what)
    return read_named(
        listing.folder,
        listing.names,
        image_size,
        classes,  # type: ignore[arg-type]
        stamp,
        on_bad_image=on_bad_image,
        cache=cache,
        progress=progress,
        storage=storage,
        part=part,
    )
