"""Learning rate schedules and optimizers by the names that a recipe uses, made of stock Keras
parts."""

from rotkeras.optimization.optimizers import OPTIMIZERS, adam, sgd
from rotkeras.optimization.schedules import SCHEDULES, constant, cosine, one_cycle, steps

__all__ = ["OPTIMIZERS", "SCHEDULES", "adam", "constant", "cosine", "one_cycle", "sgd", "steps"]
