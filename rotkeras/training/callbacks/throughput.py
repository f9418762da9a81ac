"""Views per second, and how much of the time training waits for its input."""

import time
from typing import Any

import keras

from rotkeras.arguments.accepted import PositiveNumber
from rotkeras.arguments.checked import checked


class Throughput(keras.callbacks.Callback):
    """Log the speed of training, without validation, probes, or the first execution of an epoch
    (which may compile).

    Args:
        views_per_step: views that pass through the backbone in one step: images_per_batch times
            views per image, in whole images.
        input_wait: the clock of a `rotkeras.data.Pipeline`; None when the data come from elsewhere.

    Adds to an epoch's logs: `views_per_second` and, with a clock, `input_wait`: the share of the
    time, 0 … 1, in which the step stood still because no batch was ready. Under a distribution
    strategy batches are fetched ahead for every device and the clock sees the fetching thread
    instead. To those of the epoch in which the second execution ends, the first as a rule, also
    `compile_seconds`: by how much the first took longer than the second, waiting apart; it was
    traced and, with XLA, compiled.
    """

    @checked
    def __init__(self, views_per_step: PositiveNumber, input_wait: Any = None) -> None:
        super().__init__()
        self.views_per_step = views_per_step
        self.input_wait = input_wait
        self._start = self._end = (0.0, 0, 0.0)
        self._executions = 0
        self._began = (0.0, 0, 0.0)
        self._took: list[float] = []
        self._compiled: float | None = None

    def _now(self, steps: int) -> tuple[float, int, float]:
        return time.perf_counter(), steps, self.input_wait.seconds if self.input_wait else 0.0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Start the clock."""
        self._start = self._end = self._now(0)
        self._executions = 0

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Note the time."""
        if len(self._took) < 2:
            self._began = self._now(0)

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Note the time; `batch` is the last step of an execution."""
        self._executions += 1
        self._end = self._now(batch + 1)
        if len(self._took) < 2:
            self._took.append((self._end[0] - self._began[0]) - (self._end[2] - self._began[2]))
            if len(self._took) == 2:
                self._compiled = max(0.0, self._took[0] - self._took[1])
        if self._executions == 1 and batch + 1 < ((self.params or {}).get("steps") or 0):
            self._start = self._end

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Add the figures to the logs."""
        seconds, steps, waited = (
            end - start for end, start in zip(self._end, self._start, strict=True)
        )
        if logs is not None and seconds > 0:
            logs["views_per_second"] = steps * self.views_per_step / seconds
            if self._compiled is not None:
                logs["compile_seconds"] = self._compiled
                self._compiled = None
            if self.input_wait:
                logs["input_wait"] = min(1.0, waited / seconds)
