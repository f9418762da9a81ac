"""Some images of a run's source, to look at. Of a folder only these are read; of other sources the part they are drawn from."""

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

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


def draw_sample(recipe: Recipe, size: int, count: int, seed: int = 0, data_dir: str | None = None) -> Sample:
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
    from rotkeras.embedding.opening import open_images

    data = recipe.data
    where: Any = data.test_folder or getattr(data, data.kind) or "digits"
    part, split = _part(recipe, where, data_dir)
    where = Path(where) if data.kind == "folder" else where  # a path, even when no such folder is there
    images = open_images(where, split=split, data_dir=data_dir or data.data_dir, resize=True)(size)
    positions = np.sort(np.random.default_rng(seed).permutation(len(images))[:count])
    read, kept = [], []
    for position in positions:
        try:
            read.append(images.read(images.item(int(position)), size))
            kept.append(int(position))
        except Exception:  # a broken file is counted and named by training; here another one serves as well
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
    if recipe.data.labels == "folders" and images.labels is None:  # nested class folders, which are no classes by themselves
        first = [PurePosixPath(name).parts[0] for name in images.names]
        names = tuple(sorted(set(first)))
        return np.array([names.index(first[position]) for position in kept], np.int64), names
    return (None if images.labels is None else images.labels[kept]), images.class_names


def _part(recipe: Recipe, where: str, data_dir: str | None) -> tuple[str, str | None]:
    """What the page calls the images, and the split to open."""
    data = recipe.data
    if data.kind == "embedded":
        return "test", "test"
    if data.kind == "folder":
        return ("test" if data.test_folder else "source"), None
    if data.kind == "arrays":
        with np.load(Path(where).expanduser()) as arrays:
            return ("test", "test") if {"test_images", "x_test"} & set(arrays.files) else ("source", None)
    from rotkeras.data.tfds_source import open_builder, test_split_name

    split = test_split_name(open_builder(where, data_dir or data.data_dir, download=False))
    return ("test", split) if split else ("source", None)
