"""One JSON object per epoch, in one file."""

import json
import math
import os
from pathlib import Path
from typing import Any

import keras

from rotkeras.arguments.accepted import AnyPath
from rotkeras.arguments.checked import checked
from rotkeras.files import check_writable, read_json_lines, write_text
from rotkeras.training.callbacks.rate import rate_of


class MetricsLog(keras.callbacks.Callback):
    """Write the logs of every epoch as JSON lines: `epoch` counted from 1, all logs, and
    `learning_rate`.

    Args:
        path: the file. Rows of epochs that `fit(initial_epoch=…)` repeats are replaced, earlier
            ones are kept.

    A number that is not finite is written as null: JSON has no word for it.

    Attributes:
        rows: the objects written so far.

    Raises:
        UserError: at the beginning of training, for a path that cannot be written.
    """

    @checked
    def __init__(self, path: AnyPath) -> None:
        super().__init__()
        self.path = Path(path)
        self.rows: list[dict[str, Any]] = []

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Check the path."""
        check_writable(self.path, "MetricsLog: path")

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Forget rows of this epoch and later ones."""
        if not self.rows and epoch > 0 and self.path.exists():
            self.rows = read_metrics(self.path)
        self.rows = [row for row in self.rows if row["epoch"] <= epoch]

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Write the file anew, with this epoch."""
        row: dict[str, Any] = {"epoch": epoch + 1, **(logs or {})}
        row["learning_rate"] = rate_of(self.model.optimizer)
        self.rows.append({key: _plain(value) for key, value in row.items()})
        write_text(self.path, "".join(json.dumps(row) + "\n" for row in self.rows))


def read_metrics(path: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """The rows of a file that `MetricsLog` wrote."""
    return read_json_lines(Path(path))


def _plain(value: Any) -> Any:
    if isinstance(value, int | str):
        return value
    number = float(value)
    return number if math.isfinite(number) else None
