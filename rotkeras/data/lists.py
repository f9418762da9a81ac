"""Images that a file lists: paths, with or without labels and parts, as CSV or plain lines."""

import csv
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rotkeras.data.folder_layout import PARTS
from rotkeras.data.names import Names
from rotkeras.errors import UserError, nearest
from rotkeras.files import as_text, expanded

ENDINGS = (".csv", ".tsv", ".txt")
"""Of files that are taken for lists."""

_PATHS = ("path", "file", "filename", "file_name", "image", "image_path", "imageid", "name")
_LABELS = ("label", "class", "category", "target", "predictionstring")
_SPLITS = ("split", "part", "subset")
_TRIED = 20
"""Lines that are looked at before a list is said to name nothing that exists."""


@dataclass(frozen=True, eq=False)
class Listing:
    """What a list names.

    Attributes:
        folder: where the files lie.
        names: of the files, relative to it.
        labels: as written, one for each file; None without labels.
        parts: "train", "validation" or "test" for each file; None where the list does not say.
        notes: lines on what was left out.
    """

    folder: Path
    names: Names
    labels: tuple[str, ...] | None = None
    parts: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()

    def part(self, name: str) -> "Listing | None":
        """The files of a part; None where there are none."""
        if self.parts is None:
            return self if name == "train" else None
        positions = np.flatnonzero(np.array(self.parts) == name)
        if not len(positions):
            return None
        labels = None if self.labels is None else tuple(self.labels[each] for each in positions)
        return Listing(self.folder, self.names.select(positions), labels)


def read_list(
    file: str | os.PathLike[str], folder: str | os.PathLike[str] | None = None
) -> Listing:
    """Read a list of image files.

    A CSV or TSV file has a column of paths and may have columns of labels and parts; its first line
    names them (path, label and split, or one of some other usual names), or it has paths first and
    labels second. A text file has a path on each line, or a path and a label behind white space.
    Blank lines and those that begin with # are left out.

    Args:
        file: the list.
        folder: where relative paths begin; None for the folder of the list.

    Raises:
        UserError: for a list that does not exist, is empty, has no column of paths or an unknown
            part, and where none of its first files exists.
    """
    path = expanded(file)
    if not path.is_file():
        what = "is no file" if path.exists() else "does not exist"
        raise UserError(f"The list {str(path)!r} {what}. Give a file that names images.")
    top = path.parent if folder is None else expanded(folder)
    if not top.is_dir():
        raise UserError(f"The folder {str(top)!r} of a list does not exist. Give another.")
    rows = list(_rows(path))
    first = rows[0] if rows else []
    columns, unused = _header(path, first, top) if rows else (None, ())
    boxes = "predictionstring" in map(str.lower, first)  # Kaggle's ImageNet: the class, and boxes
    rows = rows if columns is None else rows[1:]
    if not rows:
        raise UserError(f"The list {str(path)!r} names no image.")
    if columns is None:
        if path.suffix.lower() == ".txt":
            rows = _split_off_labels(rows, top)
        split = 2 if len(rows[0]) > 2 and all(_is_part(row[2:3]) for row in rows) else None
        columns = (0, 1 if len(rows[0]) > 1 else None, split)
    at, label, part = columns
    for row in rows:
        if len(row) <= max(each for each in columns if each is not None):
            raise UserError(
                f"The list {str(path)!r} must have as many columns in every line, got"
                f" {', '.join(row)!r}; complete it, or take it out."
            )
        if label is not None and not row[label].strip():
            raise UserError(
                f"The list {str(path)!r} gives no label to {row[at]!r}; complete it, or take the"
                " column of labels out."
            )
    top, names = _placed(path, top, [row[at].strip() for row in rows])
    labels = None if label is None else [row[label].strip() for row in rows]
    if boxes and labels is not None:
        labels = [each.split()[0] for each in labels]
    parts = None if part is None else [_part(path, row[part]) for row in rows]
    notes = []
    if unused:
        notes.append(f"columns of {path.name} that are not used: {', '.join(unused)}")
    if labels is None and unused:
        notes.append(f"{path.name} has no column of labels; call one label")
    kept = _once(path, names, labels, parts)
    if len(kept) < len(names):
        count = len(names) - len(kept)
        notes.append(f"{path.name} names images again in {count:,} lines, which are left out")
    return Listing(
        top,
        Names(names[each] for each in kept),
        None if labels is None else tuple(labels[each] for each in kept),
        None if parts is None else tuple(parts[each] for each in kept),
        tuple(notes),
    )


def _once(
    path: Path, names: list[str], labels: list[str] | None, parts: list[str] | None
) -> list[int]:
    """The first line of each file; a `UserError` for a file with two labels or in two parts."""
    seen: dict[str, int] = {}
    kept = []
    for number, name in enumerate(names):
        there = seen.setdefault(os.path.normpath(name), number)
        if there == number:
            kept.append(number)
            continue
        for what, values in (("labels", labels), ("parts", parts)):
            if values is not None and values[there] != values[number]:
                raise UserError(
                    f"The list {str(path)!r} gives {name!r} two {what}, {values[there]!r} and"
                    f" {values[number]!r}; take one of them out."
                )
    return kept


def check_apart(lists: Mapping[str, Listing]) -> None:
    """Raise a `UserError` for an image that two parts name.

    Args:
        lists: part -> its files.
    """
    seen: dict[str, str] = {}
    for part, listing in lists.items():
        for name in listing.names:
            path = os.path.normpath(f"{listing.folder}/{name}")
            if (other := seen.setdefault(path, part)) != part:
                raise UserError(
                    f"The image {path!r} is listed for {other} and for {part}; take it out of one"
                    " of them."
                )


def numbered(
    labels: Sequence[str], class_names: Sequence[str] | None, what: str
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Labels as written to (numbers int64 (N,), class names).

    Whole numbers are sorted as numbers. Where the classes are known, labels are their names, or
    their positions.

    Args:
        labels: (N,).
        class_names: of training, for the list of another part; None for the labels' own.
        what: the list, for the error.

    Raises:
        UserError: for a label that is none of the classes.
    """
    distinct = set(labels)
    whole = all(each.isdecimal() for each in distinct)
    if class_names is None:
        class_names = tuple(sorted(distinct, key=int) if whole else sorted(distinct))
    number = {name: place for place, name in enumerate(class_names)}
    # Positions, as in the validation lists of ImageNet, only where no class is called by a number.
    if whole and not any(each.isdecimal() for each in class_names):
        number = {str(place): place for place in range(len(class_names))}
    if unknown := sorted(distinct - set(number)):
        raise UserError(
            f"{what} has the class {unknown[0]!r}, which training does not have:"
            f" {nearest(unknown[0], list(class_names)[:1000])}"
        )
    numbers = np.fromiter((number[each] for each in labels), np.int64, len(labels))
    return numbers, tuple(map(as_text, class_names))


def find_list(folder: Path, part: str) -> Path | None:
    """The list that gives the classes of a part whose images lie flat in a folder, as in ImageNet's
    val/: `val.txt`, `val.csv`, `val_annotations.txt` or `LOC_val_solution.csv`, inside or beside
    it; None where there is none with labels."""
    stems = (f"{part}.txt", f"{part}.csv", f"{part}_annotations.txt", f"LOC_{part}_solution.csv")
    for name in stems:
        for place in (folder, folder.parent):
            if (place / name).is_file() and _labelled_rows(place / name):
                return place / name
    return None


def _labelled_rows(file: Path) -> list[list[str]]:
    """(path, label, …) of each line of a list; [] for one without labels."""
    rows = list(_rows(file))
    if file.suffix.lower() == ".txt":
        rows = [row[0].split() for row in rows]
    boxes = bool(rows) and "predictionstring" in map(str.lower, rows[0])
    rows = [row for row in rows if len(row) > 1 and row[1].strip()]
    return [[row[0], row[1].split()[0]] if boxes else row for row in rows]


def labels_by_list(file: Path, names: Sequence[str]) -> tuple[str, ...]:
    """The label that a list gives to each of some files: by its path below their folder, or else by
    its name without folders and ending, if no other file is called so.

    Raises:
        UserError: for a file that it does not name, or names by a name of several.
    """
    rows = _labelled_rows(file)
    whole = {row[0]: row[1].strip() for row in rows}
    stems = Counter(_stem(row[0]) for row in rows)
    by_stem = {_stem(row[0]): row[1].strip() for row in rows if stems[_stem(row[0])] == 1}
    labels = []
    for name in names:
        label = whole.get(name) or by_stem.get(_stem(name))
        if label is None:
            raise UserError(
                f"The list {str(file)!r} gives no class to {name!r}; complete it, or set"
                " data.labels=none."
            )
        labels.append(label)
    return tuple(labels)


def _stem(name: str) -> str:
    return name.rpartition("/")[2].rpartition(".")[0] or name.rpartition("/")[2]


def _rows(path: Path) -> Iterator[list[str]]:
    """The cells of each line."""
    with open(path, encoding="utf-8-sig", errors="surrogateescape", newline="") as stream:
        if path.suffix.lower() == ".txt":
            lines = (line.strip() for line in stream)
            yield from ([line] for line in lines if line and not line.startswith("#"))
            return
        first = stream.readline()
        stream.seek(0)
        tabs = path.suffix.lower() == ".tsv" or ("\t" in first and "," not in first)
        mark = "\t" if tabs else " " if "," not in first and " " in first.strip() else ","
        for row in csv.reader(stream, delimiter=mark):
            if any(cell.strip() for cell in row) and not row[0].startswith("#"):
                yield row


def _header(
    path: Path, first: list[str], top: Path
) -> tuple[tuple[int, int | None, int | None] | None, tuple[str, ...]]:
    """The columns of path, label and part that a first line names, and the names of others; None
    for one that is an image."""
    cells = [cell.strip().lower() for cell in first]
    at = next((cells.index(name) for name in _PATHS if name in cells), None)
    if at is None or (top / first[at]).is_file():
        named = at is None and any(name in cells for name in (*_LABELS, *_SPLITS))
        if named and not (top / first[0]).exists():
            raise UserError(
                f"The list {str(path)!r} has the columns {', '.join(first)}, and none of paths:"
                " call one path."
            )
        return None, ()
    label = next((cells.index(name) for name in _LABELS if name in cells), None)
    part = next((cells.index(name) for name in _SPLITS if name in cells), None)
    unused = [cell for number, cell in enumerate(first) if number not in (at, label, part)]
    return (at, label, part), tuple(unused)


def _split_off_labels(rows: list[list[str]], top: Path) -> list[list[str]]:
    """Lines of paths, or of paths and labels: the whole line is a path where such a file is."""
    if len(rows[0]) > 1:
        return rows
    first = rows[0][0]
    if " " not in first and "\t" not in first:
        return rows
    if any(each.exists() for each in _places(top, first)):
        return rows
    return [list(row[0].rsplit(None, 1)) for row in rows]


def _places(top: Path, name: str) -> list[Path]:
    """Where a listed file may lie: as it is written; and, as lists of Places write them, below the
    folder though they begin with a slash."""
    return [top / name, top / name.lstrip("/")]


def _placed(path: Path, top: Path, names: list[str]) -> tuple[Path, list[str]]:
    """(folder, names relative to it) of listed files."""
    tried = names[:: max(1, len(names) // _TRIED)][:_TRIED]
    if not any(each.exists() for name in tried for each in _places(top, name)):
        with_ending = [f"{name}{ending}" for name in tried for ending in (".JPEG", ".jpg", ".png")]
        if not any((top / each).exists() for each in with_ending):
            raise UserError(
                f"None of the first files in the list {str(path)!r} exists, such as"
                f" {str(top / tried[0])!r}. Name the folder where its paths begin:"
                " data.list_folder."
            )
        ending = next(each.rpartition(".")[2] for each in with_ending if (top / each).exists())
        names = [f"{name}.{ending}" for name in names]
    if not any(name.startswith("/") for name in names):
        return top, [name.removeprefix("./") for name in names]
    if not any(Path(name).exists() for name in tried if name.startswith("/")):
        return top, [name.lstrip("/") for name in names]
    absolute = [os.path.normpath(top.absolute() / name) for name in names]
    common = Path(os.path.commonpath([os.path.dirname(each) for each in absolute]))  # noqa: PTH120
    return common, [os.path.relpath(each, common) for each in absolute]


def _is_part(cells: list[str]) -> bool:
    return bool(cells) and cells[0].strip().lower() in PARTS


def _part(path: Path, word: str) -> str:
    part = PARTS.get(word.strip().lower())
    if part is None:
        raise UserError(
            f"The parts in the list {str(path)!r} must be train, validation or test, got {word!r}."
        )
    return part
