"""Other files of a fine-tuning that has ended."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras

from rotkeras.errors import UserError, brief
from rotkeras.files import beside, check_writable, one_writer, unfinished
from rotkeras.images import as_size
from rotkeras.recipe.files import load_kind
from rotkeras.transfer.base import Tell
from rotkeras.transfer.export import Exported, export_network
from rotkeras.transfer.run import draw_train, extra_of, goal_of
from rotkeras.transfer.settings import Files, FineTuning


def export_fine_tuning(
    folder: Path,
    settings: Files,
    output: Path | None = None,
    *,
    data: str | None = None,
    overwrite: bool = False,
    tell: Tell = lambda _line: None,
    say: Callable[[str], None] = lambda _what: None,
) -> Exported:
    """Export the network of a fine-tuning again, with proof on its test images.

    Args:
        folder: of the fine-tuning.
        settings: what to export, as section `export` of its recipe.
        output: where the files go; None for `export/` in the folder.
        data: where its images lie now, if they have moved.
        overwrite: replace an export that is there.
        tell: called with lines for people.
        say: called with what is being done.

    Raises:
        UserError: for a folder that is no fine-tuning, images that are not there, an export that is
            there already, and profiles that cannot be made.
    """
    target = check_writable(output or folder / "export", "-o", folder=True)
    if target.exists() and any(target.iterdir()):
        if not (target / "verify.json").is_file():
            raise UserError(f"{target} holds other files. Give another folder with -o.")
        if not overwrite:
            raise UserError(f"{target} exists already. Add --overwrite, or give another with -o.")
    recipe = load_kind(
        FineTuning, folder / "recipe.yaml", (), {} if data is None else {"path": data}
    )
    try:
        network: Any = keras.models.load_model(folder / "model.keras", compile=False)
    except (ValueError, OSError) as error:
        raise UserError(
            f"{folder / 'model.keras'} could not be loaded ({brief(error)}). Fine-tune it again."
        ) from error
    height, width = network.input_shape[1:3]
    size, seed = as_size(height, width), recipe.train.seed
    goal = goal_of(recipe)
    labelled = draw_train(recipe, goal.read(recipe.data, size, seed, tell), seed)
    say("evaluating Keras")
    predictions = goal.predict(network, labelled.test, size)
    working = beside(target)
    with one_writer(target), unfinished(working):
        working.mkdir(parents=True)
        exported = export_network(
            network,
            predictions,
            goal,
            labelled,
            size,
            settings,
            working,
            name=recipe.name,
            seed=seed,
            extra=extra_of(recipe, goal),
            say=say,
        )
        if target.exists():
            shutil.rmtree(target)
        working.rename(target)
    return exported
