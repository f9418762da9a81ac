"""Optimizer, schedule and weight decay as a recipe names them, built of stock Keras parts."""

from typing import Any

import keras

from rotkeras.recipe.models import Train


def build_schedule(train: Train, steps_per_epoch: int) -> Any:
    """The learning rate as a function of the step: a float, or a stock `LearningRateSchedule`.

    Args:
        train: the recipe's section.
        steps_per_epoch: steps in an epoch; schedules are written in epochs.
    """
    schedules = keras.optimizers.schedules
    peak, total = train.learning_rate, train.epochs * steps_per_epoch
    schedule = train.schedule
    match schedule.name:
        case "constant":
            return peak
        case "steps":
            # Keras keeps the old value at the boundary itself; the new one should hold from an
            # epoch's first step on.
            boundaries = [round(epoch * steps_per_epoch) - 1 for epoch in schedule.at_epochs]
            values = [peak * schedule.factor**power for power in range(len(boundaries) + 1)]
            return schedules.PiecewiseConstantDecay(boundaries, values)
        case "cosine":
            warmup = min(round(schedule.warmup_epochs * steps_per_epoch), total - 1)
            if not warmup:
                return schedules.CosineDecay(peak, total)
            return schedules.CosineDecay(
                0.0, total - warmup, warmup_target=peak, warmup_steps=warmup
            )
        case "one_cycle":
            warmup = max(1, min(round(schedule.warmup_fraction * total), total - 1))
            return schedules.CosineDecay(
                peak / 25,
                max(1, total - warmup),
                alpha=1e-4,
                warmup_target=peak,
                warmup_steps=warmup,
            )


def schedule_note(train: Train) -> str:
    """One line about epochs of the schedule that `train.epochs` leaves out; "" if there are
    none."""
    schedule, epochs = train.schedule, train.epochs
    if schedule.name == "steps":
        late = [f"{epoch:g}" for epoch in schedule.at_epochs if epoch >= epochs]
        if late:
            return (
                f"note: train.schedule.at_epochs {', '.join(late)} {_are(late)} not reached in"
                f" train.epochs={epochs}; the learning rate is not reduced there"
            )
    if schedule.name == "cosine" and schedule.warmup_epochs >= epochs:
        return (
            f"note: train.schedule.warmup_epochs={schedule.warmup_epochs:g} fills"
            f" train.epochs={epochs}; the learning rate only rises"
        )
    return ""


def _are(values: list[str]) -> str:
    return "are" if len(values) > 1 else "is"


def build_optimizer(train: Train, steps_per_epoch: int) -> keras.optimizers.Optimizer:
    """The optimizer of a recipe. Weight decay `l2_in_gradient` is not its part: see `add_l2`."""
    rate = build_schedule(train, steps_per_epoch)
    optimizer = train.optimizer
    decay = (
        optimizer.weight_decay
        if optimizer.weight_decay_as == "decoupled" and optimizer.weight_decay
        else None
    )
    if optimizer.name == "sgd":
        nesterov = optimizer.nesterov and optimizer.momentum > 0
        return keras.optimizers.SGD(
            rate, momentum=optimizer.momentum, nesterov=nesterov, weight_decay=decay
        )
    return keras.optimizers.Adam(rate, weight_decay=decay)
