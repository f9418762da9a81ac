"""What a person sees while training: a bar with the time left, and one line per epoch."""

import time
from typing import Any

import keras

from rotkeras.arguments.accepted import NotNegative
from rotkeras.arguments.checked import checked
from rotkeras.pretext.base import Monitor
from rotkeras.text import clock


class Progress(keras.callbacks.Callback):
    """Print a line per epoch, and on a terminal a bar with the time left.

    Args:
        console: a `rich.console.Console`; None for one on standard output. Off a terminal there are
            plain lines only.
        initial_epoch: the epoch training begins with.
    """

    @checked
    def __init__(
        self,
        console: Any = None,
        initial_epoch: NotNegative = 0,
        monitor: Monitor | None = None,
    ) -> None:
        super().__init__()
        from rich.console import Console

        self.console = console or Console(markup=False, emoji=False)
        self.initial_epoch = initial_epoch
        self.monitor = monitor or Monitor("accuracy", "accuracy", "accuracy")
        self._bar: Any = None
        self._started = 0.0
        self._epoch = initial_epoch

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Start the clock and, on a terminal, the bar."""
        self._started = time.monotonic()
        if self.console.is_terminal:
            from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
            from rich.progress import Progress as Bar

            self._bar = Bar(
                TextColumn("{task.description}"),
                BarColumn(),
                TaskProgressColumn(),
                TimeElapsedColumn(),
                TextColumn("{task.fields[left]} left"),
                console=self.console,
                transient=True,
            )
            total = (self._epochs() - self.initial_epoch) * self._steps()
            self._task = self._bar.add_task("epoch", total=total, left="–:–")
            self._bar.start()

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Name the epoch on the bar."""
        self._epoch = epoch
        if self._bar:
            self._bar.update(self._task, description=f"epoch {epoch + 1}/{self._epochs()}")

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Advance the bar."""
        if self._bar:
            done = (self._epoch - self.initial_epoch) * self._steps() + batch + 1
            self._bar.update(self._task, completed=done, left=self._left(done))

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Print the epoch's line."""
        done = (epoch + 1 - self.initial_epoch) * self._steps()
        left = (
            f"{self._left(done)} left"
            if epoch + 1 < self._epochs()
            else f"{clock(time.monotonic() - self._started)} of training"
        )
        self.console.print(
            epoch_line(epoch + 1, self._epochs(), logs or {}, left, self.monitor),
            highlight=False,
            soft_wrap=True,
        )

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Remove the bar."""
        self.close()

    def close(self) -> None:
        """Remove the bar; also after an interruption, when `on_train_end` is not called."""
        if self._bar:
            self._bar.stop()
            self._bar = None

    def _steps(self) -> int:
        return (self.params or {}).get("steps") or 1

    def _epochs(self) -> int:
        return (self.params or {}).get("epochs") or 1

    def _left(self, done: int) -> str:
        total = (self._epochs() - self.initial_epoch) * self._steps()
        return clock((time.monotonic() - self._started) * (total - done) / max(done, 1))


def epoch_line(epoch: int, epochs: int, logs: dict[str, Any], left: str, monitor: Monitor) -> str:
    """One epoch in one line."""
    parts = [
        f"epoch {epoch:>{len(str(epochs))}}/{epochs}",
        f"loss {logs.get('loss', float('nan')):.3f}",
    ]
    if monitor.metric in logs and monitor.metric != "loss":
        validation = logs.get(f"val_{monitor.metric}")
        validated = "" if validation is None else f" (validation {monitor.show(validation)})"
        parts.append(f"{monitor.short} {monitor.show(logs[monitor.metric])}{validated}")
    probed = {
        key: value
        for key, value in logs.items()
        if key.startswith("probe/") and key.count("/") == 2
    }
    if probed:
        first = next(iter(probed)).split("/")[2]
        best = max(
            (key for key in probed if key.endswith(f"/{first}")), key=lambda each: probed[each]
        )
        parts.append(f"{first} probe {best.split('/')[1]} {100 * probed[best]:.1f} %")
    online = {key: value for key, value in logs.items() if key.startswith("val_online/")}
    if online:
        highest = max(online, key=lambda each: online[each])
        parts.append(
            f"online probe {highest.removeprefix('val_online/')} {100 * online[highest]:.1f} %"
        )
    if "views_per_second" in logs:
        parts.append(f"{logs['views_per_second']:,.0f} views/s")
    if "compile_seconds" in logs:
        parts.append(f"compiled in {logs['compile_seconds']:.1f} s")
    return "  ".join([*parts, left])
