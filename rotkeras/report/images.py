"""Some images of a run's source, to look at: only these are decoded, whatever the size of the
source."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rotkeras.data.source import Images
from rotkeras.embedding.image_list import ImageList
from rotkeras.errors import UserError
from rotkeras.files import as_text, expanded
from rotkeras.recipe import Recipe
from rotkeras.run import images as run_images
from rotkeras.run.folder import Run
from rotkeras.run.places import DATA, PROBE, check_places, section_of
from rotkeras.run.probe_images import check_probe_images, labelled_of
from rotkeras.text import Words


@dataclass(frozen=True)
class Sample:
    """Images that were drawn.

    Attributes:
        images: uint8 (n, S, S, 3) with labels, classes and names where the source has them.
        part: "test", or "source" for folders and arrays without a test set.
        of: how many there are to draw from.
    """

    images: Images
    part: str
    of: int


Found = Callable[[Sequence[str] | None, int, str], None]
"""Called with the names of all images or None, their number, and the part: "test", "train" of a
folder with parts, or "source"."""


def sample_of_run(
    run: Run,
    size: int,
    count: int,
    seed: int = 0,
    data_dir: str | None = None,
    data: run_images.Locations | None = None,
    tell: run_images.Tell = run_images.silent,
) -> Sample:
    """Draw images of a run as `draw_sample` does, and check that they have not changed since its
    training.

    Of a folder the names are compared, of a tensorflow-datasets set the number of images: only the
    images drawn are decoded. Arrays are compared whole.

    Args:
        run: its recipe names the source.
        size: pixels of each side.
        count: how many; all when there are fewer.
        seed: of the draw.
        data_dir: where tensorflow-datasets keeps prepared sets; None for what the recipe says.
        data: where the images lie now, if they have moved.
        tell: called with a line when the images are not where the recipe says, or cannot be
            compared with those of training.

    Raises:
        UserError: when the source does not exist, has changed since training, or nothing in it can
            be read.
    """
    command: Words = ["rotkeras", "report", run.path]
    before = run.load_recipe()
    # With labels, and features are evaluated on them; training saw none of them.
    of = DATA if before.probe.data is None else PROBE
    recipe = run_images.recipe_of_images(
        run, data, data_dir=data_dir, command=command, tell=tell, wanted=(), labelled=True
    )
    section = section_of(recipe, of)
    kind = section.kind
    read = "data_dir" if kind == "tfds" else "test_folder" if section.test_folder else kind
    if kind != "embedded":
        check_places(recipe, run.recorded_images(), command, [read], of)
    if run.recorded_images() is None:
        tell(run_images.NOT_RECORDED)
    elif kind in ("arrays", "embedded"):
        if of == DATA:
            run_images.check_images(run, run_images.load_source(recipe), command=command)
        else:
            check_probe_images(run, labelled_of(run, recipe))

    def found(names: Sequence[str] | None, number: int, part: str) -> None:
        run_images.check_names(run, names, number, part, of)

    return draw_sample(recipe.model_copy(update={"data": section}), size, count, seed, found=found)


def draw_sample(
    recipe: Recipe,
    size: int,
    count: int,
    seed: int = 0,
    data_dir: str | None = None,
    found: Found = lambda _names, _count, _part: None,
) -> Sample:
    """Draw images of a recipe's source: of its test set if it has one, else of all its images.

    They are looked at and choose nothing, so the test set keeps its worth.

    Args:
        recipe: names the source.
        size: pixels of each side.
        count: how many; all when there are fewer.
        seed: of the draw.
        data_dir: where tensorflow-datasets keeps prepared sets; None for what the recipe says.
        found: called before any image is decoded, for sources of image files and
            tensorflow-datasets sets.

    Raises:
        UserError: when the source is not there any more, or nothing in it can be read.
    """
    if recipe.data.crops is not None:
        return _of_crops(recipe, size, count, seed)
    if recipe.data.kind == "tfds":
        return _of_tfds(recipe, size, count, seed, data_dir, found)
    if recipe.data.kind == "list" or _is_voc(recipe.data):
        return _of_lists(recipe, size, count, seed, found)
    from rotkeras.data.folder_layout import find_parts
    from rotkeras.embedding.image_sources import open_images

    data = recipe.data
    where: Any = data.test_folder or getattr(data, data.kind) or "digits"
    part, split = _part(recipe, where)
    if data.kind == "folder":
        where = expanded(where)  # a path, even when no such folder exists
        parts = None if data.test_folder else find_parts(where)
        if parts is not None:
            where, part = (parts.test, "test") if parts.test else (parts.train, "source")
        images = open_images(where, split=split, resize=True)(size)
        found(images.names, len(images), "train" if parts and part == "source" else part)
    else:
        # The digits, even beside a folder of that name.
        where = f"embedded:{where}" if data.kind == "embedded" else where
        images = open_images(where, split=split, resize=True)(size)
    positions = _drawn(len(images), count, seed)
    read, kept = [], []
    for position in positions:
        try:
            read.append(images.read(images.item(int(position)), size))
            kept.append(int(position))
        except (
            Exception
        ):  # a broken file is counted and named by training; here another one serves as well
            continue
    if not read:
        raise UserError(f"None of the images of {where} could be read.")
    names = [images.names[position] for position in kept]
    labels, classes = _classes(recipe, images, kept)
    return Sample(Images.of(np.stack(read), labels, classes, names), part, len(images))


def _classes(recipe: Recipe, images: ImageList, kept: list[int]) -> tuple[Any, tuple[str, ...]]:
    """Labels and class names of the images kept, as training saw them."""
    if recipe.data.labels == "none":
        return None, ()
    if (
        recipe.data.labels == "folders" and images.labels is None
    ):  # nested class folders, which are no classes by themselves
        first = [PurePosixPath(name).parts[0] for name in images.names]
        names = tuple(sorted(set(first)))
        return np.array([names.index(first[position]) for position in kept], np.int64), names
    return (None if images.labels is None else images.labels[kept]), images.class_names


def _drawn(of: int, count: int, seed: int) -> NDArray[np.int64]:
    """Ascending positions of a seeded draw of at most so many."""
    return np.sort(np.random.default_rng(seed).permutation(of)[:count]).astype(np.int64)


def _is_voc(data: Any) -> bool:
    from rotkeras.data.listed_source import find_voc

    return data.kind == "folder" and find_voc(expanded(data.folder)) is not None


def _of_crops(recipe: Recipe, size: int, count: int, seed: int) -> Sample:
    """Of the crops of photographs: those of validation, or of training where there are none."""
    source = run_images.load_source(recipe, image_size=size)
    images = source.validation or source.train
    drawn = images.part(_drawn(len(images), count, seed))
    names = [f"crop {row}" for row in drawn.rows]
    return Sample(Images.of(drawn.take(slice(None)), names=names), "source", len(images))


def _of_lists(recipe: Recipe, size: int, count: int, seed: int, found: Found) -> Sample:
    """Of images that lists name, decoded one by one."""
    data = recipe.data.model_copy(update={"storage": "encoded", "cache": None, "image_size": size})
    source = run_images.load_source(recipe.model_copy(update={"data": data}))
    images, part = (source.test, "test") if source.test else (source.train, "source")
    assert images.names is not None  # of files
    everything = [as_text(each) for each in images.names]
    apart = source.validation is not None and source.validation.array is not source.train.array
    found(everything, len(everything), "train" if apart and part == "source" else part)
    drawn = images.part(_drawn(len(images), count, seed))
    labels = None if recipe.data.labels == "none" else drawn.labels
    names = [everything[row] for row in drawn.rows]
    classes = drawn.class_names if labels is not None else ()
    return Sample(Images.of(drawn.take(slice(None)), labels, classes, names), part, len(images))


def _of_tfds(
    recipe: Recipe, size: int, count: int, seed: int, data_dir: str | None, found: Found
) -> Sample:
    from rotkeras.data.tfds_source import open_builder, read_split, test_split_name

    builder = open_builder(str(recipe.data.tfds), data_dir or recipe.data.data_dir, download=False)
    split = test_split_name(builder)
    of = builder.info.splits[split or "train"].num_examples
    found(None, of, "test" if split else "source")
    positions = _drawn(of, count, seed)
    images = read_split(builder, split or "train", size, positions=positions)
    labels = None if recipe.data.labels == "none" else images.labels
    names = [str(position) for position in positions]
    classes = images.class_names if labels is not None else ()
    return Sample(
        Images.of(images.array, labels, classes, names), "test" if split else "source", of
    )


def _part(recipe: Recipe, where: str) -> tuple[str, str | None]:
    """What the page calls the images, and the split to open."""
    data = recipe.data
    if data.kind == "embedded":
        return "test", "test"
    if data.kind == "folder":
        return ("test" if data.test_folder else "source"), None
    with np.load(expanded(where)) as arrays:
        return (
            ("test", "test") if {"test_images", "x_test"} & set(arrays.files) else ("source", None)
        )
