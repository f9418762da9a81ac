"""Progress over several fits: a bar with the time left on a terminal, and a line for each that is
done."""

import time
from collections.abc import Sequence
from typing import Any

from rich.console import Console

from rotkeras.text import clock


class Watching:
    """Shows the fits of an evaluation.

    Args:
        console: where to.
    """

    def __init__(self, console: Console) -> None:
        self.console = console
        self._bar: Any = None
        self._task: Any = None
        self._started = time.monotonic()

    def watch(self, number: int, units: Sequence[Any]) -> Sequence[Any]:
        """Name the fit that begins, and give the callback that advances the bar."""
        unit = units[number]
        if number == 0:  # of this evaluation; a reproduction has several
            self._started = time.monotonic()
        self._place = f"{number + 1:>{len(str(len(units)))}}/{len(units)}"
        self._share = sum(each.cost for each in units[: number + 1]) / sum(
            each.cost for each in units
        )
        if not self.console.is_terminal:
            return ()
        self._show(f"{self._place}  {unit.title()}", 0.0)
        if not unit.epochs:
            return ()
        import keras

        began = time.monotonic()

        def epoch_end(epoch: int, _logs: Any = None) -> None:
            done = (epoch + 1) / unit.epochs
            left = (time.monotonic() - began) * (1 / done - 1)
            self._show(f"{self._place}  {unit.title()}", done, f"{clock(left)} left of this fit")

        return (keras.callbacks.LambdaCallback(on_epoch_end=epoch_end),)

    def done(self, unit: Any, rows: Sequence[dict[str, Any]]) -> None:
        """Print the line of a fit that has ended."""
        values = "  ".join(
            f"{row['tap']} {100 * row['validation']['accuracy']:.1f}" for row in rows
        )
        left = (time.monotonic() - self._started) * (1 / self._share - 1)
        tail = f"; about {clock(left)} left" if self._share < 1 else ""
        self.console.print(
            f"{self._place}  {unit.title()}: {values}  (validation,"
            f" {clock(rows[0]['seconds'])}{tail})"
        )

    def tested(self, done: int, count: int) -> None:
        """Say that the test set is read, and how far it is."""
        if done == 0:
            self.console.print(
                f"all probes are fitted; reading the test set for {count}"
                f" row{'s' if count > 1 else ''} …"
            )
        if self.console.is_terminal:
            self._show("test set", done / count)

    def _show(self, description: str, share: float, left: str = "") -> None:
        """Set the bar, and begin it when there is none."""
        if self._bar is None:
            from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                TimeElapsedColumn(),
                TextColumn("{task.fields[left]}"),
            )
            self._bar = Progress(*columns, console=self.console, transient=True)
            self._task = self._bar.add_task("", total=1.0, left="")
            self._bar.start()
        self._bar.update(self._task, description=description, completed=share, left=left)

    def close(self) -> None:
        """Remove the bar."""
        if self._bar:
            self._bar.stop()
            self._bar = None
