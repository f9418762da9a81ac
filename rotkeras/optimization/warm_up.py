"""A linear warm-up in front of any schedule of Keras."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="rotkeras")
class WarmUp(keras.optimizers.schedules.LearningRateSchedule):
    """Rise from 0 in a straight line, then follow another schedule, which counts from the first
    step too.

    Args:
        peak: learning rate that the line leads to.
        steps: of the line; at least 1.
        schedule: what holds from that step on.

    Reference:
        Goyal et al., Accurate, Large Minibatch SGD: Training ImageNet in 1 Hour, 2017, section 2.2.
    """

    def __init__(self, peak: float, steps: int, schedule: Any) -> None:
        super().__init__()
        self.peak, self.steps, self.schedule = peak, steps, schedule

    def __call__(self, step: Any) -> Any:
        """The learning rate of a step, counted from 0."""
        rising = self.peak / self.steps * ops.cast(step, "float32")
        return ops.where(ops.less(step, self.steps), rising, self.schedule(step))

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {
            "peak": self.peak,
            "steps": self.steps,
            "schedule": keras.saving.serialize_keras_object(self.schedule),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "WarmUp":
        """The schedule of a config."""
        return cls(
            config["peak"],
            config["steps"],
            keras.saving.deserialize_keras_object(config["schedule"]),
        )
