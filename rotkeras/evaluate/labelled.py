"""The labelled images that a run is evaluated on: its own, or others."""

import re
from pathlib import Path
from typing import Any

from rotkeras.data import Source, load
from rotkeras.data.fingerprint import sampled_digest
from rotkeras.data.folder import check_folder
from rotkeras.data.interpret import interpret
from rotkeras.errors import UserError
from rotkeras.files import expanded
from rotkeras.images import as_size
from rotkeras.run.folder import Run
from rotkeras.run.images import Locations, Tell, silent
from rotkeras.run.probe_images import load_labelled_images
from rotkeras.text import Words

LABELLED_VALIDATION, FEW_IMAGES = 0.2, 1000


def load_labelled(
    run: Run,
    labelled: str | None = None,
    test_folder: str | None = None,
    data_dir: str | None = None,
    progress: Any = None,
    *,
    data: Locations | None = None,
    command: Words = (),
    tell: Tell = silent,
) -> Source:
    """The images of a run's recipe, or other labelled ones at the size that the run's network
    takes.

    Args:
        run: a run that has ended.
        labelled: what `rotkeras.data.load` takes, or None for those of the recipe's `probe.data`,
            and where it has none, the run's own images. A fifth becomes
            validation; half, of fewer than 1000 without a test set.
        test_folder: the test set of a folder.
        data_dir: where tensorflow-datasets keeps prepared sets; None for what the recipe says.
        progress: called with (images read, images in all).
        data: where the run's own images lie now, if they have moved.
        command: that errors name.
        tell: called with a line about the run's own images, see `load_run_images`.

    Raises:
        UserError: for images that do not exist, and when the run's own have changed since its
            training.
    """
    recipe = run.load_recipe()
    if labelled is None:
        if test_folder is not None:
            raise UserError("--test-folder needs --labelled FOLDER: give both.")
        return load_labelled_images(
            run, data, data_dir=data_dir, command=command, tell=tell, progress=progress
        )
    if data:
        raise UserError(
            f"--labelled {labelled} and --set cannot be used together: --labelled replaces the"
            " run's own images, and --set says where these are."
        )
    kind, given = interpret(labelled, data_dir or recipe.data.data_dir)
    if kind == "folder":
        check_folder(expanded(labelled))
    if test_folder is not None:
        if kind != "folder":
            raise UserError(
                f"--test-folder needs a folder as --labelled, got {labelled}; give a folder of"
                " class folders."
            )
        check_folder(expanded(test_folder))
    from rotkeras.evaluate.evaluation import load_network

    size = as_size(*load_network(run).input_shape[1:3])
    where = data_dir or recipe.data.data_dir

    def read(fraction: float) -> Source:
        return load(
            given,
            kind=kind,
            data_dir=where,
            test_folder=test_folder,
            image_size=size,
            labels="folders" if kind == "folder" else "auto",
            validation_fraction=fraction,
            progress=progress,
        )

    source = read(LABELLED_VALIDATION)
    if len(source.train) < FEW_IMAGES and source.test is None:
        source = read(0.5)  # a fifth of few images could show no difference
    return source


def file_name(source: Source, labelled: str | None) -> str:
    """The name of the evaluation file: `evaluation`, or `evaluation-<images>-<fingerprint>` for
    other images than the run's own."""
    if labelled is None:
        return "evaluation"
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", Path(source.name).name).strip("-.") or "labelled"
    return f"evaluation-{name}-{sampled_digest(source.train)[:8]}"
