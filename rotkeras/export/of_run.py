"""Export of a run: its network, its images, and where both come from."""

from typing import Any

import keras

from rotkeras import pretext
from rotkeras.arguments.accepted import AnyPath, Text
from rotkeras.arguments.checked import checked
from rotkeras.data.source import Source
from rotkeras.errors import UserError, brief
from rotkeras.export.card import Origin
from rotkeras.export.parts import parts_of
from rotkeras.export.target import check_target, resolved
from rotkeras.export.write import Exported, Tell, export
from rotkeras.files import read_json
from rotkeras.images import sides_of
from rotkeras.recipe import Recipe, dump
from rotkeras.recipe.models import Export
from rotkeras.run import images as run_images
from rotkeras.run.folder import Run
from rotkeras.text import Words, command_line

_GRID = ", on a grid of the map, not on this file's vector"


@checked
def export_run(
    run: Run,
    settings: Export | None = None,
    folder: AnyPath | None = None,
    *,
    data_dir: Text | None = None,
    data: run_images.Locations | None = None,
    overwrite: bool = False,
    source: Source | None = None,
    command: Words = (),
    tell: Tell | None = None,
    note: run_images.Tell = run_images.silent,
) -> Exported:
    """Export the network of a run that has ended, on the images of its recipe.

    The network is `model.keras`, that of the last epoch, so that all signatures come from one
    network; unless a tap is named, it is cut where the exported vectors are best on validation.

    Args:
        run: the run.
        settings: what to export; None takes the section of the run's recipe, or the defaults.
        folder: where to; None for `export/` in the run folder.
        data_dir: where tensorflow-datasets keeps prepared sets, when they have moved.
        data: where the run's images lie, if they have moved, such as {"folder": "photos"}; see
            `rotkeras.run.images.load_run_images`.
        overwrite: replace an export that is there.
        source: the run's images, when they are loaded already.
        command: that the model card names.
        tell: called as the work goes on.
        note: called with a line when the images are not where the recipe says, or cannot be
            compared with those of training.

    Raises:
        UserError: for a run that has not ended, images that do not exist or have changed since its
            training, and as of `rotkeras.export.export`.
    """
    run.check_ended()
    recipe = run.load_recipe()
    settings = settings or recipe.export or Export()
    folder = resolved(folder or run.export)
    check_target(folder, overwrite)
    try:
        model = keras.models.load_model(run.model, compile=False)
    except Exception as error:
        raise UserError(
            f"Keras could not load {str(run.model)!r} ({brief(error)}). Train it again."
        ) from error
    chosen = settings.tap or (recipe.encoder.tap if recipe.encoder.tap != "best" else None)
    task = run.task_facts() if (own := _task_of(run, recipe)) is None else own
    size = parts_of(
        model, chosen, task=task, input_size=settings.input_size, resize=settings.resize
    ).input_size
    where: dict[str, Any] = {"command": ["rotkeras", "export", run.path], "tell": note}
    if source is None or source.image_shape[:2] != sides_of(size):
        there = run_images.recipe_of_images(run, data, data_dir=data_dir, **where)
        source = run_images.load_source(there, image_size=size)
    trained = (run.recorded_images() or {}).get("fingerprint", {}).get("train", {})
    resized = trained.get("image_shape") != list(source.image_shape)
    run_images.check_images(run, source, resized=resized, **where)
    return export(
        model,
        source,
        folder,
        settings.model_copy(update={"tap": chosen}),
        task=task,
        seed=recipe.train.seed,
        origin=lambda tap: origin_of(run, recipe, settings, source.name, tap, command),
        overwrite=overwrite,
        tell=tell,
    )


def _task_of(run: Run, recipe: Recipe) -> Any:
    """The task of a run, which can make views; None for a user's own, whose code is not here."""
    ours = run.task_facts().name in pretext.NAMES
    return pretext.of_section(recipe.task) if ours else None


def origin_of(
    run: Run, recipe: Recipe, settings: Export, source: str, tap: str, command: Words
) -> Origin:
    """What the card says of where the network comes from."""
    summary = run.load_summary() or {}
    images, metrics = summary.get("images") or {}, summary.get("metrics") or {}
    training, numbers = [], []
    if summary:
        monitor = run.task_facts().monitor
        value = metrics.get(f"val_{monitor.metric}")
        training.append(
            f"Trained by rotkeras {summary['rotkeras']} in {summary['epochs']} epochs"
            f" ({summary['seconds'] / 60:.0f} minutes on {summary['machine']['cores']} cores,"
            f" {summary['machine']['platform']}), seed {recipe.train.seed}, by this recipe:"
        )
        if value is not None and monitor.percent:
            numbers.append(
                (
                    monitor.words,
                    f"{100 * value:.1f}",
                    f"{images['validation']:,} validation images",
                )
            )
        for state in ("untrained", "trained"):
            for probe, value in ((summary["probes"] or {}).get(state) or {}).get(tap, {}).items():
                numbers.append(
                    (
                        f"{probe} at {tap}, {state}",
                        f"{100 * value:.1f}",
                        "online: validation" + _GRID,
                    )
                )
    numbers += _evaluated(run, tap)
    return Origin(
        recipe.name,
        source,
        command_line(*command),
        settings.author,
        settings.licence,
        images.get("train", 0),
        dump(
            recipe.model_copy(update={"data": recipe.data.model_copy(update={"data_dir": None})})
        ),  # of this machine alone
        training,
        numbers,
        run.task_facts().method,
    )


def _evaluated(run: Run, tap: str) -> list[tuple[str, str, str]]:
    """The frozen probes of this tap with all labels in `evaluation.json`, which `rotkeras evaluate`
    leaves."""
    file = run.path / "evaluation.json"
    if not file.exists():
        return []
    content = read_json(file)
    rows = [
        row
        for row in content["rows"]
        if row["tap"] == tap and row["mode"] == "frozen" and row["labels_per_class"] == "all"
    ]
    if not rows:
        return []
    part = "test" if all(row["test"] for row in rows) else "validation"
    how = f"{content['images'][part]:,} {part} images, `rotkeras evaluate`" + _GRID
    return [
        (f"{row['probe']} at {tap}, {row['budget']}", f"{100 * row[part]['accuracy']:.1f}", how)
        for row in rows
    ]
