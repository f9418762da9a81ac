"""The encoder on disk after every epoch: the best so far, and the last."""

from pathlib import Path
from typing import Any

import keras

from rotkeras.arguments.accepted import AnyPath, ProbeName, Text
from rotkeras.arguments.checked import checked
from rotkeras.backbones import taps
from rotkeras.files import check_writable, write_whole
from rotkeras.pretext.base import Monitor
from rotkeras.probes.choice import choose
from rotkeras.training.callbacks.probe_accuracy import ProbeAccuracy

BEST, LAST = "encoder.keras", "encoder-last.keras"


class EncoderCheckpoint(keras.callbacks.Callback):
    """Cut the encoder after every epoch and write `encoder.keras` (the best on validation) and
    `encoder-last.keras`.

    Best is by a probe in the logs (`ProbeAccuracy` before this callback), then by the monitor of
    the task on validation images, then the last epoch. The files hold stock layers alone and load
    with Keras without rotkeras.

    Args:
        folder: where to write.
        tap: where to cut; "best" is the tap with the best probe in the logs, the second tap while
            there is none.
        pooling: "average" for one vector per image, "none" for feature maps.
        probe: the one that chooses, as `ProbeAccuracy` names it.
        probe_accuracy: the callback that probes. Its predictions show whether the taps differ
            significantly; where they do not, the second tap is taken (`rotkeras.probes.choice`).
            None takes the tap with the highest accuracy, and among equal ones the second.
        monitor: of the task (`task.monitor`); None for a metric named `accuracy`.

    Attributes:
        best: {"epoch", "tap", "measure", "value"} of `encoder.keras`, or None before the first
            epoch; set it to resume. With `probe_accuracy`, also what
            `rotkeras.probes.choice.Choice.record` gives: whether the choice of the tap is
            arbitrary, and why it was taken.
        last: the same of `encoder-last.keras`.

    Raises:
        UserError: at the beginning of training, for a folder that cannot be written, and a tap that
            the model does not have.
    """

    @checked
    def __init__(
        self,
        folder: AnyPath,
        tap: Text = "best",
        pooling: taps.Pooling = "average",
        probe: ProbeName = "ridge",
        probe_accuracy: ProbeAccuracy | None = None,
        monitor: Monitor | None = None,
    ) -> None:
        super().__init__()
        self.folder = Path(folder)
        self.tap = tap
        self.pooling: taps.Pooling = pooling
        self.probe = probe
        self.probe_accuracy = probe_accuracy
        self.monitor = monitor or Monitor("accuracy", "accuracy", "accuracy")
        self.best: dict[str, Any] | None = None
        self.last: dict[str, Any] | None = None
        self._encoders: dict[str, keras.Model] = {}

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Check the folder and the tap."""
        check_writable(self.folder, "EncoderCheckpoint: folder", folder=True)
        self._encoders = {}
        if self.tap != "best":
            taps.check(self.model, self.tap)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Write the encoders."""
        chosen = self.last = {"epoch": epoch + 1, **self._judge(logs or {})}
        self._write(LAST, chosen["tap"])
        if self.best is None or self._rank(chosen) >= self._rank(self.best):
            self.best = chosen
            self._write(BEST, chosen["tap"])

    def _judge(self, logs: dict[str, Any]) -> dict[str, Any]:
        there = taps.names(self.model) if self.tap == "best" else [self.tap]
        keys = {tap: f"probe/{tap}/{self.probe}" for tap in there}
        probed = {tap: logs[key] for tap, key in keys.items() if key in logs}
        if probed:
            correct = self._correct(list(probed))
            found = choose(probed, None, taps.default(self.model), correct)
            chosen: dict[str, Any] = {
                "tap": found.tap,
                "measure": f"{self.probe} probe",
                "value": found.accuracy,
            }
            if correct and self.tap == "best":
                chosen |= found.record()
            return chosen
        # Between two probed epochs the tap of the last probe goes on.
        fallback = self.best["tap"] if self.best else taps.default(self.model)
        tap = fallback if self.tap == "best" else self.tap
        if (value := logs.get(f"val_{self.monitor.metric}")) is not None:
            return {"tap": tap, "measure": self.monitor.words, "value": float(value)}
        return {"tap": tap, "measure": "epoch", "value": 0.0}

    def _correct(self, wanted: list[str]) -> dict[str, Any] | None:
        """{tap: which validation images its probe has correct}; None where that is not known."""
        found = self.probe_accuracy.correct if self.probe_accuracy else {}
        if any(self.probe not in found.get(tap, {}) for tap in wanted):
            return None
        return {tap: found[tap][self.probe] for tap in wanted}

    def _rank(self, entry: dict[str, Any]) -> tuple[int, float]:
        if entry["measure"] == self.monitor.words:
            return 1, self.monitor.rank(entry["value"])
        return (0 if entry["measure"] == "epoch" else 2), entry["value"]

    def _write(self, name: str, tap: str) -> None:
        if tap not in self._encoders:
            self._encoders[tap] = taps.cut(self.model, tap, self.pooling)
        write_whole(self.folder / name, self._encoders[tap].save)
