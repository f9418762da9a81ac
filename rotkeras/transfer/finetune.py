"""Fine-tune an encoder to a goal: read, fit, choose the epoch by validation, measure on test."""

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from rotkeras.backbones import taps
from rotkeras.backbones.weight_decay import add_l2
from rotkeras.errors import UserError
from rotkeras.images import Size, as_size, sides_of
from rotkeras.optimization import OPTIMIZERS, SCHEDULES
from rotkeras.training import devices
from rotkeras.training.callbacks import StopOnBadLoss
from rotkeras.transfer.base import Goal, Labelled, Result, Tell
from rotkeras.transfer.callbacks import BestWeights, ValidationScore
from rotkeras.transfer.copies import in_float32
from rotkeras.transfer.encoder import Encoder
from rotkeras.transfer.layer_rates import layer_rates
from rotkeras.transfer.settings import FineTuning, Train


@dataclass(frozen=True, eq=False)
class FineTuned:
    """What a fine-tuning left.

    Attributes:
        network: flat, of stock layers; one uint8 image in.
        result: on the test part; of validation where test was not to be read.
        predictions: of the test part; None where it was not to be read.
        validation: the best score on validation.
        epoch: of it, counted from 1.
        epochs: that were trained.
        seconds: of training.
    """

    network: keras.Model
    result: Result
    predictions: Any
    validation: float
    epoch: int
    epochs: int
    seconds: float


def image_size(recipe: FineTuning, encoder: Encoder) -> Size:
    """The size of the images: that of the recipe, or of the encoder."""
    return encoder.size if recipe.data.image_size is None else as_size(*_sides(recipe))


def _sides(recipe: FineTuning) -> tuple[int, int]:
    size: Any = recipe.data.image_size
    return sides_of(size)


def fine_tune(
    recipe: FineTuning,
    goal: Goal,
    encoder: Encoder,
    labelled: Labelled,
    *,
    callbacks: Sequence[Any] = (),
    tell: Tell = lambda _line: None,
    test: bool = True,
) -> FineTuned:
    """Train the model of a goal, keep its best epoch, and measure it.

    Args:
        recipe: its sections `augmentation`, `train` and `data.image_size` are used.
        goal: of the recipe's task.
        encoder: to begin with; it is not changed.
        labelled: the images.
        callbacks: more Keras callbacks, which see the validation score in the logs.
        tell: called with lines on what is done.
        test: whether to read the test part.

    Raises:
        UserError: for an encoder or settings that do not fit, and a loss that is not finite.
    """
    settings = recipe.train
    if settings.deterministic:
        devices.make_deterministic()
    keras.utils.set_random_seed(settings.seed)
    size = image_size(recipe, encoder)
    with devices.precision(settings.precision):
        model = goal.build(encoder.network, labelled, (*sides_of(size), 3), settings.seed)
    kept = goal.kept(model)
    # Those that the goal reads: layers behind the last of them are not in its model.
    there = {layer.name for layer in kept.layers}
    encoder_taps = [each for each in taps.names(encoder.network) if each in there]
    score = ValidationScore(
        goal.score.key, lambda: _score(goal, kept, labelled.validation, size, labelled.class_names)
    )
    best = BestWeights(f"val_{goal.score.key}", settings.patience)
    started, done = time.perf_counter(), 0
    for frozen, until in phases(settings):
        set_frozen(model, goal.head(model), frozen)
        batches = goal.batches(
            labelled, recipe.augmentation, size, settings.images_per_batch, settings.seed, done
        )
        optimizer = build_optimizer(
            settings, (done, until), batches.steps_per_epoch, model, encoder_taps, goal.clip
        )
        if settings.optimizer.weight_decay_as == "l2_in_gradient":
            add_l2(model, settings.optimizer.weight_decay)
        goal.compile(model, optimizer, settings, labelled)
        if len(phases(settings)) > 1:
            tell(f"epochs {done + 1} to {until}: {'the head alone' if frozen else 'all weights'}")
        with warnings.catch_warnings():
            # keras-cv calls its parts with a tensor where their one input has a name.
            warnings.filterwarnings("ignore", "The structure of `inputs`")
            model.fit(
                batches.dataset,
                steps_per_epoch=batches.steps_per_epoch,
                initial_epoch=done,
                epochs=until,
                shuffle=False,
                verbose=0,
                callbacks=[StopOnBadLoss(), score, best, *callbacks],
            )
        done = until if best.stopped is None else best.stopped
        best.stopped = None
    best.restore()
    seconds = time.perf_counter() - started
    result = Result(best.best, {}, len(labelled.validation))
    predictions = None
    if test:
        predictions = goal.predict(kept, labelled.test, size)
        names = labelled.class_names
        result = goal.evaluate(goal.judge(predictions, labelled.test, names), names)
    set_frozen(model, goal.head(model), False)
    return FineTuned(in_float32(kept), result, predictions, best.best, best.epoch, done, seconds)


def phases(settings: Train) -> list[tuple[bool, int]]:
    """(whether the encoder is frozen, until which epoch) of each `fit`."""
    if settings.encoder == "frozen_then_full":
        return [(True, settings.frozen_epochs), (False, settings.epochs)]
    return [(settings.encoder == "frozen", settings.epochs)]


def set_frozen(model: Any, head: Sequence[Any], frozen: bool) -> None:
    """Freeze all layers but the head's, or none. Frozen batch norm uses its moving statistics."""
    model.trainable = True
    for layer in model.layers:
        layer.trainable = not frozen
    for layer in head if frozen else ():
        layer.trainable = True
    if frozen and not model.trainable_variables:
        raise UserError("Nothing is left to train with a frozen encoder; set train.encoder: full.")


def build_optimizer(
    settings: Train,
    epochs: tuple[int, int],
    steps: int,
    model: Any,
    encoder_taps: list[str],
    clip: float | None = None,
) -> keras.optimizers.Optimizer:
    """The optimizer of section `train` for one phase, with its schedule.

    Args:
        settings: the section.
        epochs: that are done, and until which the phase goes. Epochs of `steps` schedules count
            from the first phase; warm-up and the optimizer's moments begin anew.
        steps: in an epoch.
        model: what is trained.
        encoder_taps: see `layer_rates`.
        clip: length beyond which the gradient is shortened, None for none; of weights that share a
            learning rate together.
    """
    done, until = epochs
    arguments = settings.schedule.model_dump(exclude={"name"})
    if settings.schedule.name == "steps":
        arguments["at_epochs"] = [each - done for each in arguments["at_epochs"] if each > done]
        passed = len(settings.schedule.at_epochs) - len(arguments["at_epochs"])
    peak = settings.learning_rate
    if settings.schedule.name == "steps" and done:
        peak *= settings.schedule.factor**passed
    if settings.schedule.name == "steps" and not arguments["at_epochs"]:
        schedule: Any = SCHEDULES["constant"]()
    else:
        schedule = SCHEDULES[settings.schedule.name](**arguments)
    make: Callable[[Any], Any] = OPTIMIZERS[settings.optimizer.name](
        **settings.optimizer.model_dump(exclude={"name"})
    )

    def of(factor: float) -> keras.optimizers.Optimizer:
        optimizer = make(schedule(peak * factor, until - done, steps))
        optimizer.global_clipnorm = clip
        return optimizer

    return layer_rates(model, encoder_taps, settings.learning_rate_decay, of)


def _score(goal: Goal, network: Any, part: Any, size: Size, class_names: Sequence[str]) -> float:
    judged = goal.judge(goal.predict(network, part, size), part, class_names)
    found = goal.evaluate(judged, class_names).score
    return float(np.clip(found, 0.0, 1.0))
