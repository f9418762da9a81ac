"""Budgets, and what they come to: a number of steps, divided into rounds."""

import math
import re
from dataclasses import dataclass
from typing import Literal

from rotkeras.errors import UserError

Unit = Literal["minutes", "views", "epochs"]

TOLERANCE = 0.02
"""How much more or less than the budget a run may be, as a share of it, for its rounds to be
equal."""

_FORM = re.compile(r"(\d+(?:\.\d*)?(?:e\d+)?)\s*(s|min|h|views|epochs?)")
_MINUTES = {"s": 1 / 60, "min": 1.0, "h": 60.0}


@dataclass(frozen=True)
class Budget:
    """How much a run may train.

    Attributes:
        amount: above 0.
        unit: "minutes" of training, "views" through the backbone, or "epochs": passes over the
            images.
    """

    amount: float
    unit: Unit

    def __str__(self) -> str:
        if self.unit == "minutes" and self.amount < 1:
            return f"{60 * self.amount:g} seconds"
        unit = self.unit[:-1] if self.amount == 1 else self.unit
        return f"{self.amount:,.0f} {unit}" if self.amount >= 1000 else f"{self.amount:g} {unit}"


@dataclass(frozen=True)
class Rounds:
    """How a run is divided.

    Attributes:
        count: of rounds; the features are probed after each.
        steps: of one round.
    """

    count: int
    steps: int


def parse(text: str) -> Budget:
    """The budget of a text such as "10min", "2e6views" or "5epochs".

    Raises:
        UserError: for another form, and for 0.
    """
    found = _FORM.fullmatch(text.strip().lower())
    amount = float(found[1]) if found else 0.0
    if found is None or not 0 < amount < math.inf:
        raise UserError(
            f"budget must be an amount above 0 with its unit: s, min, h, views or epochs, such as"
            f" 10min, 2e6views or 5epochs, got {text!r}."
        )
    unit = found[2]
    if unit in _MINUTES:
        return Budget(amount * _MINUTES[unit], "minutes")
    return Budget(amount, "views" if unit == "views" else "epochs")


def steps_of(
    budget: Budget,
    images_per_batch: int,
    views_per_image: float,
    images: int | None = None,
    steps_per_second: float | None = None,
) -> float:
    """Steps that a budget allows.

    Args:
        budget: of a run.
        images_per_batch: images of a step.
        views_per_image: passes through the backbone for each of them.
        images: training images; for epochs, which have whole batches only.
        steps_per_second: as measured; for minutes.
    """
    if budget.unit == "views":
        return budget.amount / (images_per_batch * views_per_image)
    if budget.unit == "epochs":
        assert images is not None
        return budget.amount * (images // images_per_batch)
    assert steps_per_second is not None
    return 60 * budget.amount * steps_per_second


def divide(steps: float, rounds: int, steps_per_execution: int = 1) -> Rounds:
    """As many rounds of equally many steps, in whole executions, as keep the budget: they differ
    from it by at most one execution and `TOLERANCE`.

    Fewer rounds where more would not; one round is nearest. (0, 0) where there is no execution.
    """
    executions = round(steps / steps_per_execution)
    if executions == 0:
        return Rounds(0, 0)
    allowed = min(1.0, TOLERANCE * executions)
    for count in range(min(rounds, executions), 1, -1):
        each = round(executions / count)
        if abs(count * each - executions) <= allowed:
            return Rounds(count, steps_per_execution * each)
    return Rounds(1, steps_per_execution * executions)
