"""A callback that notes when steps end."""

import time
from collections.abc import Callable
from typing import Any

import keras


class StepClock(keras.callbacks.Callback):
    """Note the end of the first step, the time of an execution, and the logs of each epoch.

    It comes after `Throughput`, whose figures it takes from an epoch's logs. Keras turns the logs
    of a step into numbers before it calls a callback, so that a step on an accelerator has ended
    when this is called.

    Args:
        tell: called with a line for each epoch that counts.

    Attributes:
        first: `time.perf_counter()` at the end of the first execution.
        seconds_of_an_execution: of the last one before the repeats.
        epochs: logs of each epoch since `begin_repeats`.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        super().__init__()
        self.first = 0.0
        self.seconds_of_an_execution = 0.0
        self.epochs: list[dict[str, Any]] = []
        self._tell = tell
        self._last = 0.0
        self._counting = False

    def begin_repeats(self) -> None:
        """From here on epochs count."""
        self._counting = True

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Note the time."""
        now = time.perf_counter()
        if not self.first:
            self.first = now
            self._tell("warming up")
        self.seconds_of_an_execution = now - self._last
        self._last = now

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Keep the logs of an epoch that counts."""
        if self._counting and logs is not None:
            self.epochs.append(dict(logs))
            self._tell(f"{logs['views_per_second']:,.0f} views/s")
