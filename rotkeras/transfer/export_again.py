"""Other files of a fine-tuning that has ended."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras

from rotkeras.errors import UserError, brief
from rotkeras.export.target import check_target, resolved
from rotkeras.files import read_json
from rotkeras.images import as_size
from rotkeras.recipe.files import load_kind
from rotkeras.transfer.base import Labelled, Tell
from rotkeras.transfer.export import Exported, export_network, put_export
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
    target = resolved(output or folder / "export")
    check_target(target, overwrite)
    moved = {} if data is None else {"path": data}
    recipe = load_kind(FineTuning, folder / "recipe.yaml", (), moved)
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
    _check_same(folder, labelled)
    say("evaluating Keras")
    predictions = goal.predict(network, labelled.test, size)
    return put_export(
        target,
        lambda place: export_network(
            network,
            predictions,
            goal,
            labelled,
            size,
            settings,
            place,
            name=recipe.name,
            seed=seed,
            extra=extra_of(recipe, goal),
            say=say,
        ),
    )


def _check_same(folder: Path, labelled: Labelled) -> None:
    """Raise a `UserError` where images, labels or classes are no longer those of the
    fine-tuning: what was trained on could be in the test part now, and labels shifted."""
    summary = read_json(folder / "summary.json")
    if list(labelled.class_names) != summary["class_names"]:
        raise UserError(
            f"The classes of {labelled.name} are {', '.join(labelled.class_names)}, and {folder}"
            f" was trained on {', '.join(summary['class_names'])}. Restore them, or fine-tune"
            " again."
        )
    now = labelled.digests()
    changed = [part for part, digest in summary["digests"].items() if now[part] != digest]
    if changed:
        raise UserError(
            f"The {' and '.join(changed)} images or labels of {labelled.name} have changed since"
            f" {folder} was trained. Restore them, or fine-tune again."
        )
