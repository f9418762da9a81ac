"""Learning rate schedules. Each function returns one that is still without its peak and length:
`schedule(peak, epochs, steps_per_epoch)` is what Keras takes."""

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import Field

from rotkeras.arguments.accepted import NotNegativeNumber, PositiveNumber, Rising
from rotkeras.arguments.checked import checked

Schedule = Callable[[float, int, int], Any]
"""(peak learning rate, epochs, steps in an epoch) -> a float, or a stock `LearningRateSchedule`."""


@checked
def constant() -> Schedule:
    """One learning rate throughout."""

    def schedule(peak: float, epochs: int, steps_per_epoch: int) -> float:  # noqa: ARG001
        return peak

    return schedule


@checked
def steps(
    at_epochs: Rising, factor: PositiveNumber = 0.2, warmup_epochs: NotNegativeNumber = 0.0
) -> Schedule:
    """Multiply the learning rate by a factor at each of some epochs.

    Args:
        at_epochs: rising numbers of epochs; the new rate holds from their first step on.
        factor: of each change.
        warmup_epochs: epochs in which the rate rises from 0 in a straight line; fractions are
            allowed.
    """

    def schedule(peak: float, epochs: int, steps_per_epoch: int) -> Any:  # noqa: ARG001
        import keras

        from rotkeras.optimization.warm_up import WarmUp

        # Keras keeps the old value at the boundary itself; the new one should hold from an epoch's
        # first step on.
        boundaries = [round(epoch * steps_per_epoch) - 1 for epoch in at_epochs]
        values = [peak * factor**power for power in range(len(boundaries) + 1)]
        stepped = keras.optimizers.schedules.PiecewiseConstantDecay(boundaries, values)
        warmup = round(warmup_epochs * steps_per_epoch)
        return WarmUp(peak, warmup, stepped) if warmup else stepped

    return schedule


@checked
def cosine(warmup_epochs: NotNegativeNumber = 0.0) -> Schedule:
    """Linear warm-up from 0, then half a cosine to 0.

    Args:
        warmup_epochs: epochs in which the rate rises; fractions are allowed.

    Reference:
        Loshchilov, Hutter, SGDR: Stochastic Gradient Descent with Warm Restarts, ICLR 2017,
        equation 5 with one cycle.
    """

    def schedule(peak: float, epochs: int, steps_per_epoch: int) -> Any:
        import keras

        total = epochs * steps_per_epoch
        warmup = min(round(warmup_epochs * steps_per_epoch), total - 1)
        decay = keras.optimizers.schedules.CosineDecay
        if not warmup:
            return decay(peak, total)
        return decay(0.0, total - warmup, warmup_target=peak, warmup_steps=warmup)

    return schedule


@checked
def one_cycle(warmup_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.3) -> Schedule:
    """Linear warm-up from 1/25 of the peak, then half a cosine to 1/10000 of it.

    Args:
        warmup_fraction: share of the training in which the rate rises.

    Reference:
        Smith, Topin, Super-Convergence, 2018, with the constants of PyTorch's OneCycleLR.
    """

    def schedule(peak: float, epochs: int, steps_per_epoch: int) -> Any:
        import keras

        total = epochs * steps_per_epoch
        warmup = max(1, min(round(warmup_fraction * total), total - 1))
        return keras.optimizers.schedules.CosineDecay(
            peak / 25,
            max(1, total - warmup),
            alpha=1e-4,
            warmup_target=peak,
            warmup_steps=warmup,
        )

    return schedule


SCHEDULES: dict[str, Callable[..., Schedule]] = {
    "constant": constant,
    "steps": steps,
    "cosine": cosine,
    "one_cycle": one_cycle,
}
"""Schedules by the name that a recipe uses."""
