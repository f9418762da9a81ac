"""Callbacks of a run: the most memory its training steps held, and what a watcher is told."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras

from rotkeras.files import read_json, write_json
from rotkeras.training import devices


class PeakMemory(keras.callbacks.Callback):
    """Write the most memory that the process, and the first GPU, held during training steps;
    probes between the rounds do not count.

    Args:
        path: of a JSON file: {"process_mib", "gpu_mib"}; that of a run that was stopped is kept
            where it is higher.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.peaks: dict[str, float | None] = {"process_mib": None, "gpu_mib": None}

    def on_train_begin(self, logs: Any = None) -> None:
        """Read what an earlier process found."""
        if self.path.exists():
            self.peaks = read_json(self.path)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Forget the peaks of memory of what came before this round, such as probes."""
        devices.reset_peak_memory()
        _reset_gpu()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """At the last step of a round, note the peak: what comes next are probes."""
        if batch + 1 < ((self.params or {}).get("steps") or 0):
            return
        now = {"process_mib": devices.peak_memory(), "gpu_mib": devices.device_peak_memory()}
        for key, value in now.items():
            before = self.peaks.get(key)
            if value is not None:
                self.peaks[key] = value if before is None else max(before, value)
        write_json(self.path, self.peaks)


class Rounds(keras.callbacks.Callback):
    """Tell how far a run is: at most once a second, and after each round with its logs.

    Args:
        say: called with `done` (share of the run) or `round` and `logs`.
    """

    def __init__(self, say: Callable[..., None]) -> None:
        super().__init__()
        self.say = say
        self._epoch = 0
        self._said = 0.0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Remember the round."""
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Tell the share that is done."""
        now = time.monotonic()
        if now - self._said < 1:
            return
        self._said = now
        parameters = self.params or {}
        steps, epochs = parameters.get("steps") or 1, parameters.get("epochs") or 1
        self.say(done=(self._epoch + (batch + 1) / steps) / epochs)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Tell what the round came to."""
        numbers = {key: float(value) for key, value in (logs or {}).items()}
        self.say(round=epoch + 1, logs=numbers)


def _on_gpu() -> bool:
    return bool(devices.accelerators()) and devices.backend() == "tensorflow"


def _reset_gpu() -> None:
    if _on_gpu():
        import tensorflow as tf

        tf.config.experimental.reset_memory_stats("GPU:0")
