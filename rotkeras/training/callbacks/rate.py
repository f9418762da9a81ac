"""The learning rate of any optimizer."""

from typing import Any

import keras


def rate_of(optimizer: Any) -> float:
    """The learning rate now; of several optimizers (`keras.optimizers.MultiOptimizer`) the
    highest."""
    wrapped = getattr(optimizer, "inner_optimizer", optimizer)  # of a LossScaleOptimizer
    several = getattr(wrapped, "optimizers", None) or [wrapped]
    return max(float(keras.ops.convert_to_numpy(each.learning_rate)) for each in several)
