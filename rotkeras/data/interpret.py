"""One loader for all kinds of source."""

import importlib.util
import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from rotkeras.arguments.accepted import (
    AnyPath,
    Fraction,
    ImageSize,
    Labels,
    OnBadImage,
    Positive,
    Seed,
    Split,
    StorageChoice,
)
from rotkeras.arguments.checked import checked
from rotkeras.data.crop_source import open_crops
from rotkeras.data.crops import Crops
from rotkeras.data.decode import Progress
from rotkeras.data.lists import ENDINGS as LIST_ENDINGS
from rotkeras.data.opened import (
    How,
    Opened,
    open_arrays,
    open_dataset,
    open_embedded,
    open_folder,
    open_list,
)
from rotkeras.data.source import Images, Source
from rotkeras.data.source import split as split_images
from rotkeras.data.unmeasured import unmeasured
from rotkeras.errors import UserError
from rotkeras.files import check_regular, expanded
from rotkeras.images.formats import ending_of, extensions

Kind = Literal["tfds", "folder", "list", "arrays", "embedded"]


_OPENERS: dict[Kind, Callable[[Any, How], Opened]] = {
    "tfds": open_dataset,
    "folder": open_folder,
    "list": open_list,
    "arrays": open_arrays,
    "embedded": open_embedded,
}


def interpret(source: Any, data_dir: str | os.PathLike[str] | None = None) -> tuple[Kind, Any]:
    """What a source given by position means: its kind, and the source without a prefix.

    Args:
        source: a path, arrays, `"digits"`, or a name of tensorflow-datasets. `"embedded:digits"`
            and `"tfds:NAME"` name a set where a folder has the same name; `"./NAME"` or a `Path`
            names the folder.
        data_dir: where tensorflow-datasets keeps prepared sets.

    Returns:
        (kind, source), such as ("tfds", "cifar10") for `"tfds:cifar10"`.

    Raises:
        UserError: for an empty source, and for a word that names both a path and a set.
    """
    if not isinstance(source, str | os.PathLike):
        if source is None:
            raise UserError(f"The images must be {_SOURCES}, got None.")
        return "arrays", source
    text = os.fspath(source)
    if not text.strip():
        raise UserError(f"The images must be {_SOURCES}, got {text!r}.")
    for kind in ("embedded", "tfds"):
        if isinstance(source, str) and text.startswith(f"{kind}:"):
            return kind, _named(kind, text.removeprefix(f"{kind}:"))
    path = expanded(text)
    check_regular(path)
    exists = os.path.lexists(path)
    if text.endswith(".npz") and not path.is_dir():
        return "arrays", source
    if text.lower().endswith(LIST_ENDINGS) and not path.is_dir():
        return "list", source
    is_path = text.startswith((".", "~", os.sep)) or text.endswith(os.sep)
    if is_path or isinstance(source, os.PathLike) or ending_of(text) in extensions():
        return "folder", source
    if exists and text == "digits":
        raise _ambiguous(text, "the digits that ship with scikit-learn", "embedded:digits")
    if exists and _names_a_set(text, data_dir):
        raise _ambiguous(text, "a set of tensorflow-datasets", f"tfds:{text}")
    if text == "digits":
        return "embedded", source
    return ("folder" if exists or not _SET.fullmatch(text) else "tfds"), source


_SOURCES = (
    "a folder, a list of files (.csv, .tsv, .txt), an .npz file, arrays, 'digits' or a name of"
    " tensorflow-datasets such as 'cifar10'"
)


_SET = re.compile(r"([\w-]+:)?\w+(/[\w=.-]+)*(:(\d+|\*)(\.(\d+|\*)){2})?")
"""What tensorflow-datasets takes as a name: mnist, imagenette/full-size-v2, mnist:3.0.1."""


def _named(kind: str, name: Any) -> Any:
    """The name of a set or a path; a `UserError` for an empty one."""
    if not isinstance(name, str) or not name.strip():
        expected = {"tfds": "a name such as 'cifar10'", "embedded": "'digits'", "arrays": "arrays"}
        raise UserError(
            f"The source of kind {kind!r} must be {expected.get(kind, 'a path')}, got {name!r}."
        )
    return name


def _ambiguous(text: str, what: str, prefixed: str) -> UserError:
    place = "folder" if Path(text).is_dir() else "file"
    return UserError(
        f"{text!r} is both a {place} here and {what}; write ./{text} for the {place}, or"
        f" {prefixed} for the set."
    )


def _names_a_set(text: str, data_dir: str | os.PathLike[str] | None) -> bool:
    """Whether tensorflow-datasets knows a name; read from its files, since importing it takes
    seconds. With a configuration, as in "imagenette/full-size-v2", the set must be prepared: a path
    with a separator is a folder otherwise."""
    name, _, inside = text.partition("/")
    inside = inside.rstrip("/")
    # Names such as Cifar10 are taken too.
    name = re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name.split(":")[0]).lower()
    home = data_dir or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets"
    prepared = expanded(home) / name / inside
    if prepared.is_dir() and prepared.resolve() != Path(text).resolve():
        return True
    found = importlib.util.find_spec("tensorflow_datasets")
    if inside or text.endswith("/") or found is None or not found.submodule_search_locations:
        return False
    package = Path(found.submodule_search_locations[0])
    listed = (package / "datasets" / name, package / "url_checksums" / f"{name}.txt")
    return any(each.exists() for each in listed)


def guess_kind(source: Any) -> Kind:
    """The kind of source that a value given by position means; see `interpret`."""
    return interpret(source)[0]


@checked
def load(
    source: Any,
    *,
    kind: Kind | None = None,
    data_dir: AnyPath | None = None,
    test_folder: AnyPath | None = None,
    list_folder: AnyPath | None = None,
    validation_list: AnyPath | None = None,
    test_list: AnyPath | None = None,
    image_size: ImageSize | None = None,
    labels: Labels = "auto",
    validation_fraction: Fraction = 0.1,
    train_images: Positive | None = None,
    split_seed: Seed = 0,
    split: Split = "stratified",
    on_bad_image: OnBadImage = "skip",
    cache: AnyPath | None = None,
    storage: StorageChoice = "auto",
    crops: Crops | None = None,
    progress: Progress | None = None,
) -> Source:
    """Load images: a TFDS name, a folder, an `.npz` file or NumPy arrays, or the embedded
    `"digits"`.

    Args:
        source: `"cifar10"` (any tensorflow-datasets image set), a folder's path, a list of image
            files (`.csv`, `.tsv`, `.txt`; see `rotkeras.data.lists.read_list`), a path that ends in
            `.npz`, a uint8 array (N, H, W, 3), a pair (images, labels), a pair of such pairs
            ((images, labels), (images, labels)) for train and test, or `"digits"`. Labels are class
            numbers, strings or one-hot rows. If a folder and a set have the same name,
            `"./cifar10"` or a `Path` is the folder, and `"tfds:cifar10"` or `"embedded:digits"` the
            set.
        kind: "tfds", "folder", "list", "arrays" or "embedded"; None tells it from `source`.
        data_dir: where tensorflow-datasets keeps prepared sets; nothing is downloaded when the set
            is prepared there.
        test_folder: a second folder whose images are the test set (folders only).
        list_folder: where the relative paths of lists begin; None for the folder of each list.
        validation_list: a list whose images are validation (lists only).
        test_list: a list whose images are the test set (lists only).
        image_size: pixels of each side after a centred square cut, or (H, W); None keeps what the
            source has (folders: 96).
        labels: for folders: "folders" takes the first folder below the top as the class, "auto"
            decides, "none" has none. For the other kinds "none" drops the labels.
        validation_fraction: share of the training images that is split off as validation.
        train_images: keep a seeded draw of this many training images after the split; None keeps
            all.
        split_seed: seed of the split and of the draw, apart from any training seed.
        split: "stratified" keeps the proportions of the classes in the parts and in the draw, where
            there are labels; "random" does not, as in earlier versions.
        on_bad_image: "skip" leaves out, counts and names files that cannot be read; "error" stops
            at the first.
        cache: folder that keeps the decoded images of a folder or a tensorflow-datasets set on
            disk, for later runs too. None holds them in memory when they take at most half of what
            is available, and else keeps them in `~/.cache/rotkeras` (or
            `$XDG_CACHE_HOME/rotkeras`); `Source.kept` says which.
        storage: of folders, lists and sets of tensorflow-datasets: "memory" or "file" (the cache)
            holds decoded squares; "encoded" leaves the images in their files (of sets, in
            ArrayRecord), decodes each when it is asked for, and cuts a random resized crop that is
            the first augmentation from the photograph itself. "auto" takes memory, the file where
            memory is too small, and encoded where the file would need more than half of the free
            disk.
        crops: make so many crops of the photographs (of a folder, of one image file, or of a list),
            once, and train on them; they have no labels. None for the photographs themselves.
        progress: called with (images read, images in all).

    Returns:
        A `Source` with `train`, `validation` and (read on first use) `test`.

    Raises:
        UserError: one sentence for anything missing, empty, or of the wrong form.
    """
    if kind is None:
        kind, source = interpret(source, data_dir)
    elif isinstance(source, str | None):
        source = _named(kind, source)
    if cache is not None and kind in ("arrays", "embedded"):
        raise UserError(
            f"cache needs images that are decoded from files, got cache={str(cache)!r} for kind"
            f" {kind!r}; remove it."
        )
    if storage != "auto" and kind in ("arrays", "embedded"):
        raise UserError(
            f"storage must be auto for kind {kind!r}, got {storage!r}; arrays are in memory."
        )
    if cache is not None and storage in ("memory", "encoded"):
        raise UserError(f"cache is for storage file or auto, got {storage!r}; remove one of them.")
    if test_folder is not None and kind != "folder":
        raise UserError(
            f"test_folder needs a folder as the source, got kind {kind!r}; remove test_folder."
        )
    of_lists = {
        "list_folder": list_folder,
        "validation_list": validation_list,
        "test_list": test_list,
    }
    for key, value in of_lists.items():
        if value is not None and kind != "list":
            raise UserError(f"{key} needs a list as the source, got kind {kind!r}; remove {key}.")

    def as_path(each: Any) -> Path | None:
        return None if each is None else Path(each)

    how = How(
        data_dir=as_path(data_dir),
        test_folder=as_path(test_folder),
        list_folder=as_path(list_folder),
        validation_list=as_path(validation_list),
        test_list=as_path(test_list),
        image_size=image_size,
        labels=labels,
        on_bad_image=on_bad_image,
        cache=as_path(cache),
        storage=None if storage == "auto" else storage,
        progress=progress,
    )
    opened = open_crops(kind, source, how, crops) if crops else _OPENERS[kind](source, how)
    everything, validation = opened.train, opened.validation
    if labels == "none":
        everything = _without_labels(everything)
    found = len(everything) + (len(validation) if validation is not None else 0)
    if validation is None:
        train, validation = split_images(everything, validation_fraction, split_seed, split)
    else:
        train = everything
    if train_images is not None:
        train = train.draw(train_images, split_seed, split)
    if validation is not None:
        how.notes += unmeasured(train, validation)

    def test() -> Images | None:
        images = opened.read_test()
        return _without_labels(images) if images is not None and labels == "none" else images

    return Source(opened.name, train, validation, how.skipped, test, how.notes, found)


def _without_labels(images: Images) -> Images:
    return replace(images, labels=None, class_names=())
