"""Some images of a run's source, to look at: only these are decoded, whatever the size of the
source."""

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rotkeras.data.source import Images
from rotkeras.embedding.image_list import ImageList
from rotkeras.errors import UserError
from rotkeras.recipe import Recipe


@dataclass(frozen=True)
class Sample:
    """Images that were drawn.

    Attributes:
        images: uint8 (n, S, S, 3) with labels, classes and names where the source has them.
        part: "test", or "source" for folders and arrays without a test part.
        of: how many there are to draw from.
    """

    images: Images
    part: str
    of: int


def draw_sample(
    recipe: Recipe, size: int, count: int, seed: int = 0, data_dir: str | None = None
) -> Sample:
    """Draw images of a recipe's source: of its test part if it has one, else of all its images.

    They are looked at and choose nothing, so the test part keeps its worth.

    Args:
        recipe: names the source.
        size: pixels of each side.
        count: how many; all when there are fewer.
        seed: of the draw.
        data_dir: where tensorflow-datasets keeps prepared sets; None for what the recipe says.

    Raises:
        UserError: when the source is not there any more, or nothing in it can be read.
    """
    if recipe.data.kind == "tfds":
        return _of_tfds(recipe, size, count, seed, data_dir)
    from rotkeras.embedding.opening import open_images

    data = recipe.data
    where: Any = data.test_folder or getattr(data, data.kind) or "digits"
    part, split = _part(recipe, where)
    where = (
        Path(where) if data.kind == "folder" else where
    )  # a path, even when no such folder is there
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


def _of_tfds(recipe: Recipe, size: int, count: int, seed: int, data_dir: str | None) -> Sample:
    from rotkeras.data.tfds_source import open_builder, read_split, test_split_name

    builder = open_builder(str(recipe.data.tfds), data_dir or recipe.data.data_dir, download=False)
    split = test_split_name(builder)
    of = builder.info.splits[split or "train"].num_examples
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
    with np.load(Path(where).expanduser()) as arrays:
        return (
            ("test", "test") if {"test_images", "x_test"} & set(arrays.files) else ("source", None)
        )
