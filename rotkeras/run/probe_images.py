"""The labelled images of a recipe's `probe.data`: features are evaluated on them where those of
training have no labels, or are not what the features are for."""

from typing import Any

from rotkeras.data import Source
from rotkeras.data.fingerprint import source_difference, source_fingerprint
from rotkeras.errors import UserError
from rotkeras.files import as_text
from rotkeras.images import Size, as_size, sides_of
from rotkeras.images.size import shown
from rotkeras.recipe import Recipe
from rotkeras.run.folder import Run
from rotkeras.run.images import (
    NEW_RUN,
    Tell,
    load_run_images,
    load_section,
    recipe_of_images,
    silent,
)
from rotkeras.run.places import Locations
from rotkeras.text import Words


def load_probe_images(
    recipe: Recipe, size: Size, progress: Any = None, **changes: Any
) -> Source | None:
    """The labelled images of a recipe's `probe.data`; None where features are evaluated on the
    images of training.

    Args:
        recipe: names the images.
        size: pixels of each side of the images of training, for a section that does not say.
        progress: called with (images read, images in all).
        changes: keys of the section that are to have another value.

    Raises:
        UserError: for images that do not exist, or have another size than those of training.
    """
    data = recipe.probe.data
    if data is None:
        return None
    try:
        found = load_section(data, progress, {"image_size": data.image_size or size} | changes)
    except UserError as error:
        raise UserError(f"probe.data: {error}") from None
    if found.image_shape[:2] != sides_of(size):
        raise UserError(
            f"probe.data.image_size must be that of the training images, {shown(size)}, got"
            f" {shown(as_size(*found.image_shape[:2]))}; remove it."
        )
    return found


def load_probe_images_beside(recipe: Recipe, source: Source) -> Source | None:
    """The same, for images of training that are loaded already."""
    return load_probe_images(recipe, as_size(*source.image_shape[:2]))


def load_labelled_images(
    run: Run,
    data: Locations | None = None,
    *,
    data_dir: str | None = None,
    command: Words = (),
    tell: Tell = silent,
    progress: Any = None,
) -> Source:
    """The images on which a run's features are evaluated: those of the recipe's `probe.data`, or,
    where it has none, those of the run; arguments and errors as of `load_run_images`. With
    `probe.data`, the keys of `data` are its own, such as {"probe.data.folder": "labelled"}."""
    if run.load_recipe().probe.data is None:
        return load_run_images(
            run, data, data_dir=data_dir, command=command, tell=tell, progress=progress
        )
    recipe = recipe_of_images(
        run, data, data_dir=data_dir, command=command, tell=tell, labelled=True
    )
    source = labelled_of(run, recipe, progress)
    check_probe_images(run, source)
    return source


def labelled_of(run: Run, recipe: Recipe, progress: Any = None) -> Source:
    """The images of a recipe's `probe.data`, of the size that a run was trained with.

    Args:
        run: which recorded its images.
        recipe: of the run, with the places where the images are now.
        progress: called with (images read, images in all).
    """
    then = run.recorded_images()
    if then is None:
        raise UserError(f"The run {run.path} has recorded no images: train it again.")
    height, width, _ = then["fingerprint"]["train"]["image_shape"]
    source = load_probe_images(recipe, as_size(height, width), progress)
    assert source is not None  # the recipe has such a section
    return source


def check_probe_images(run: Run, labelled: Source) -> None:
    """Raise a `UserError` unless a source gives the images of `probe.data` that a run recorded."""
    then = (run.recorded_images() or {}).get("probe")
    if then is not None and (differs := source_difference(then, source_fingerprint(labelled))):
        raise UserError(
            f"The images of probe.data have changed since this run began: {differs}"
            f" ({as_text(labelled.name)}). Restore them, {NEW_RUN.replace('start', 'or start')}"
        )
