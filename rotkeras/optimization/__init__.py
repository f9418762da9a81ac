"""Learning rate schedules and optimizers by the names that a recipe uses, made of stock Keras
parts."""

from typing import TYPE_CHECKING, Any

from rotkeras.optimization.optimizers import OPTIMIZERS as OPTIMIZERS
from rotkeras.optimization.optimizers import adam, lars, sgd
from rotkeras.optimization.schedules import SCHEDULES as SCHEDULES
from rotkeras.optimization.schedules import constant, cosine, one_cycle, steps

if TYPE_CHECKING:
    from rotkeras.optimization.lars_optimizer import LARS

__all__ = ["LARS", "adam", "constant", "cosine", "lars", "one_cycle", "sgd", "steps"]


def __getattr__(name: str) -> Any:
    if name == "LARS":  # a class of Keras, which a recipe does without
        from rotkeras.optimization.lars_optimizer import LARS

        return LARS
    raise AttributeError(f"module 'rotkeras.optimization' has no attribute {name!r}")
