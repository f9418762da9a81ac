"""The optimizer that section `train` of a recipe describes, with its learning rate schedule."""

from typing import Any

import keras

from rotkeras.optimization import OPTIMIZERS, SCHEDULES
from rotkeras.recipe.models import Train


def build_schedule(train: Train, steps_per_epoch: int) -> Any:
    """The learning rate as a function of the step: a float, or a stock `LearningRateSchedule`.

    Args:
        train: the recipe's section.
        steps_per_epoch: steps in an epoch; schedules are written in epochs.
    """
    schedule = SCHEDULES[train.schedule.name](**train.schedule.model_dump(exclude={"name"}))
    return schedule(train.learning_rate, train.epochs, steps_per_epoch)


def build_optimizer(train: Train, steps_per_epoch: int) -> keras.optimizers.Optimizer:
    """The optimizer of a recipe. Weight decay `l2_in_gradient` is not its part: see `add_l2`."""
    make = OPTIMIZERS[train.optimizer.name](**train.optimizer.model_dump(exclude={"name"}))
    optimizer = make(build_schedule(train, steps_per_epoch))
    if train.ema_momentum is not None:
        optimizer.use_ema, optimizer.ema_momentum = True, train.ema_momentum
    return optimizer


def l2_in_loss(train: Train) -> float:
    """The rate of the weight decay that is a term of the loss (`add_l2`); 0 for none. LARS has its
    decay in itself."""
    optimizer: Any = train.optimizer
    in_loss = getattr(optimizer, "weight_decay_as", None) == "l2_in_gradient"
    return float(optimizer.weight_decay) if in_loss else 0.0


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
    if schedule.name in ("cosine", "steps") and schedule.warmup_epochs >= epochs:
        return (
            f"note: train.schedule.warmup_epochs={schedule.warmup_epochs:g} fills"
            f" train.epochs={epochs}; the learning rate only rises"
        )
    return ""


def _are(values: list[str]) -> str:
    return "are" if len(values) > 1 else "is"
