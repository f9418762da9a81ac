"""The labelled images that a run is evaluated on: its own, or others."""

import re
from pathlib import Path
from typing import Any

from rotkeras.data import Source, load
from rotkeras.errors import UserError
from rotkeras.run import Run


def load_labelled(
    run: Run, labelled: str | None = None, test_folder: str | None = None, data_dir: str | None = None, progress: Any = None
) -> Source:
    """The images of a run's recipe, or other labelled ones at the size that the run's network takes.

    Args:
        run: a run that has ended.
        labelled: what `rotkeras.data.load` takes, or None for the run's own images.
        test_folder: the test part of a folder.
        data_dir: where tensorflow-datasets keeps prepared sets; None for what the recipe says.
        progress: called with (images read, images in all).

    Raises:
        UserError: for images that are not there.
    """
    from rotkeras.train import load_source

    recipe = run.load_recipe()
    if labelled is None:
        if test_folder is not None:
            raise UserError("--test-folder goes with --labelled FOLDER, which is not given: give both.")
        if data_dir is not None:
            recipe = recipe.model_copy(update={"data": recipe.data.model_copy(update={"data_dir": data_dir})})
        return load_source(recipe, progress)
    from rotkeras.evaluate.evaluation import load_network

    size = load_network(run).input_shape[1]
    fraction = recipe.data.validation_fraction or 0.2
    where = data_dir or recipe.data.data_dir
    return load(labelled, data_dir=where, test_folder=test_folder, image_size=size, validation_fraction=fraction, progress=progress)


def file_name(source: Source, labelled: str | None) -> str:
    """The name of the evaluation file: `evaluation`, or `evaluation-<images>` for other images than the run's own."""
    if labelled is None:
        return "evaluation"
    return "evaluation-" + (re.sub(r"[^A-Za-z0-9._-]+", "-", Path(source.name).name).strip("-.") or "labelled")
