"""A whole fine-tuning: from a recipe to a folder with network, summary, page and proven files."""

import platform
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from rotkeras import __version__
from rotkeras.arguments.accepted import AnyPath
from rotkeras.arguments.checked import checked
from rotkeras.errors import UserError
from rotkeras.evaluate.evaluation import weights_digest
from rotkeras.export.target import put
from rotkeras.files import (
    beside,
    one_writer,
    unfinished,
    write_json,
    write_text,
    write_whole,
)
from rotkeras.images import shown
from rotkeras.recipe import dump
from rotkeras.training.callbacks import MetricsLog
from rotkeras.transfer import page
from rotkeras.transfer.base import Goal, Labelled, Tell
from rotkeras.transfer.bootstrap import interval
from rotkeras.transfer.classify.goal import Classify, confusion
from rotkeras.transfer.detect.goal import Detect
from rotkeras.transfer.detect.model import anchors_of
from rotkeras.transfer.encoder import Encoder, load_encoder
from rotkeras.transfer.export import Exported, export_network, put_export
from rotkeras.transfer.finetune import FineTuned, fine_tune, image_size
from rotkeras.transfer.folder import check_folder
from rotkeras.transfer.segment.goal import Segment
from rotkeras.transfer.settings import FineTuning

_PICTURES = 12
FILES = ("recipe.yaml", "model.keras", "metrics.jsonl", "summary.json", "report.html")
"""What a folder of a fine-tuning holds, besides export/."""


def goal_of(recipe: FineTuning) -> Goal:
    """The goal that section `task` names."""
    goals: dict[str, Any] = {"classify": Classify, "detect": Detect, "segment": Segment}
    made: Goal = goals[recipe.task.name](recipe.task)
    return made


def prepare(recipe: FineTuning, tell: Tell) -> tuple[Goal, Encoder, Labelled]:
    """The goal, the encoder and the images of a recipe, with the training images that it keeps.

    Raises:
        UserError: for images or an encoder that do not fit, and where no path is given.
    """
    if recipe.data.path is None:
        raise UserError("data.path is missing: give the labelled images with --data PATH.")
    goal = goal_of(recipe)
    encoder = load_encoder(
        recipe.encoder, recipe.backbone, recipe.data.image_size, recipe.train.seed
    )
    labelled = goal.read(recipe.data, image_size(recipe, encoder), recipe.train.seed, tell)
    return goal, with_best_tap(recipe, encoder), draw_train(recipe, labelled, recipe.train.seed)


def with_best_tap(recipe: FineTuning, encoder: Encoder) -> Encoder:
    """The encoder cut at the tap that its run found best, where a classifier freezes it."""
    task = recipe.task
    if task.name == "classify" and task.tap is None and recipe.train.encoder == "frozen":
        from rotkeras.backbones import taps

        if encoder.tap is not None:
            features = taps.output(encoder.network, encoder.tap)
            network = keras.Model(encoder.network.input, features, name=encoder.network.name)
            return Encoder(network, encoder.name, encoder.words, encoder.tap, encoder.seconds)
    return encoder


def draw_train(recipe: FineTuning, labelled: Labelled, seed: int) -> Labelled:
    """The labelled images with the part of training that section `data` keeps."""
    train, count = labelled.train, recipe.data.labels_per_class
    random = np.random.default_rng(seed)
    if count is not None:
        chosen = []
        for number, name in enumerate(labelled.class_names):
            shows = train.labels[:, number] == 1 if train.several else train.labels == number
            positions = np.flatnonzero(shows)
            if len(positions) < count:
                raise UserError(
                    f"data.labels_per_class must be at most {len(positions)}, the training images"
                    f" of class {name!r}, got {count}."
                )
            chosen.append(random.permutation(positions)[:count])
        return labelled.with_train(train.part(np.unique(np.concatenate(chosen))))
    kept = recipe.data.train_images
    if kept is not None and kept < len(train):
        return labelled.with_train(train.part(np.sort(random.permutation(len(train))[:kept])))
    return labelled


@checked
def run_fine_tuning(
    recipe: FineTuning,
    folder: AnyPath,
    *,
    overwrite: bool = False,
    callbacks: Sequence[Any] = (),
    tell: Tell = lambda _line: None,
    say: Callable[[str], None] = lambda _what: None,
    begun: Callable[[Goal, Labelled], Sequence[Any]] = lambda _goal, _labelled: (),
) -> tuple[dict[str, Any], Exported | None]:
    """Fine-tune, measure, export and draw the page.

    Args:
        recipe: what to do.
        folder: where everything goes. Network and summary are put in place when training has
            ended, so that no export or page can lose them.
        overwrite: replace a fine-tuning that is there.
        callbacks: more Keras callbacks.
        tell: called with lines for people.
        say: called with what is being done after training.
        begun: called when the images are read; gives more callbacks.

    Returns:
        (the content of `summary.json`, what the export left or None).

    Raises:
        UserError: for anything that does not fit, and a folder that is there.
    """
    target = check_folder(Path(folder), overwrite)
    goal, encoder, labelled = prepare(recipe, tell)
    for note in labelled.notes:
        tell(f"note: {note}")
    more = begun(goal, labelled)
    working = beside(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    with one_writer(target), unfinished(working):
        working.mkdir()
        log = MetricsLog(working / "metrics.jsonl")
        made = fine_tune(
            recipe, goal, encoder, labelled, callbacks=[log, *more, *callbacks], tell=tell
        )
        say("measuring")
        summary = summarise(recipe, goal, encoder, labelled, made)
        text = dump(recipe, f"Resolved by rotkeras {__version__} on {platform.platform()}.")
        write_text(working / "recipe.yaml", text)
        plain = keras.Model(made.network.input, made.network.output, name=made.network.name)
        write_whole(working / "model.keras", plain.save)
        write_json(working / "summary.json", summary)
        put(working, target)
    exported, size = None, image_size(recipe, encoder)
    settings = recipe.export
    if settings is not None:
        exported = put_export(
            target / "export",
            lambda place: export_network(
                made.network,
                made.predictions,
                goal,
                labelled,
                size,
                settings,
                place,
                name=recipe.name,
                seed=recipe.train.seed,
                extra=extra_of(recipe, goal),
                say=say,
            ),
        )
    say("drawing the page")
    pictures = goal.pictures(made.predictions, labelled.test, size, labelled.class_names, _PICTURES)
    table = None
    if isinstance(goal, Classify) and not goal.several:
        found = made.predictions.argmax(axis=1)
        table = confusion(labelled.test.labels, found, len(labelled.class_names))
    page.write(
        target / "report.html",
        goal,
        labelled,
        summary,
        log.rows,
        pictures,
        table,
        None if exported is None else exported.proof,
        text,
    )
    return summary, exported


def extra_of(recipe: FineTuning, goal: Goal) -> dict[str, Any]:
    """What `task.json` of exported files says besides task and classes."""
    if goal.name == "detect":
        anchors = anchors_of(recipe.task.anchor_size)
        return {"anchors": {key: list(each) for key, each in vars(anchors).items()}}
    return {"several": getattr(goal, "several", False)}


def summarise(
    recipe: FineTuning, goal: Goal, encoder: Encoder, labelled: Labelled, made: FineTuned
) -> dict[str, Any]:
    """The content of `summary.json`; the score has an interval by a bootstrap over images."""
    size = image_size(recipe, encoder)
    part, names = labelled.test, labelled.class_names
    predictions = made.predictions
    judged = goal.judge(predictions, part, names)
    low, high = interval(lambda rows: goal.evaluate(judged, names, rows).score, len(part))
    return {
        "name": recipe.name,
        "task": goal.name,
        "encoder": encoder.name,
        "encoder_words": encoder.words,
        "pretraining_seconds": encoder.seconds,
        "data": labelled.name,
        "class_names": list(names),
        "images": {
            "train": len(labelled.train),
            "validation": len(labelled.validation),
            "test": len(part),
        },
        "image_size": shown(size),
        "score": goal.score.key,
        "score_words": goal.score.words,
        "test": {
            **made.result.record(),
            "details": goal.details(predictions, part, names),
            "low": low,
            "high": high,
        },
        "validation": made.validation,
        "best_epoch": made.epoch,
        "epochs": made.epochs,
        "seconds": made.seconds,
        "parameters": made.network.count_params(),
        "seed": recipe.train.seed,
        "notes": list(labelled.notes),
        "digests": labelled.digests(),
        "encoder_digest": weights_digest(encoder.network),
    }
