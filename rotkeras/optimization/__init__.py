"""Learning rate schedules and optimizers by the names that a recipe uses, made of stock Keras
parts."""

from rotkeras.optimization.optimizers import OPTIMIZERS as OPTIMIZERS
from rotkeras.optimization.optimizers import adam, sgd
from rotkeras.optimization.schedules import SCHEDULES as SCHEDULES
from rotkeras.optimization.schedules import constant, cosine, one_cycle, steps

__all__ = ["adam", "constant", "cosine", "one_cycle", "sgd", "steps"]
