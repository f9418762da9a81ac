"""Sections of optimizers and learning rate schedules."""

from typing import Annotated, Literal

from pydantic import Field

from rotkeras.arguments.accepted import (
    Fraction,
    NotNegativeNumber,
    PositiveNumber,
    Rising,
)
from rotkeras.recipe.section import Section


class Optimizer(Section):
    """SGD or Adam. `weight_decay_as` says which of the two things called weight decay is meant."""

    name: Literal["sgd", "adam"] = "sgd"
    momentum: Fraction = Field(0.9, description="Of SGD.")
    nesterov: bool = Field(True, description="Of SGD.")
    weight_decay: NotNegativeNumber = Field(5e-4, description="On every trainable weight.")
    weight_decay_as: Literal["l2_in_gradient", "decoupled"] = Field(
        "l2_in_gradient",
        description=(
            "l2_in_gradient adds weight_decay·w to the gradient, as the published SGD does, by an"
            " L2 term in the loss; decoupled subtracts learning_rate·weight_decay·w from the"
            " weights, as Keras' argument does."
        ),
    )


class Constant(Section):
    """One learning rate throughout."""

    name: Literal["constant"]


class Steps(Section):
    """Multiply the learning rate by a factor at each of some epochs."""

    name: Literal["steps"]
    at_epochs: Rising
    factor: PositiveNumber = 0.2


class Cosine(Section):
    """Linear warm-up from 0, then half a cosine to 0."""

    name: Literal["cosine"]
    warmup_epochs: NotNegativeNumber = 0.0


class OneCycle(Section):
    """Linear warm-up from 1/25 of the peak, then half a cosine to 1/10000 of it."""

    name: Literal["one_cycle"]
    warmup_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.3


Schedule = Annotated[Constant | Steps | Cosine | OneCycle, Field(discriminator="name")]
