"""What `rotkeras finetune` shows: reading, progress, and the table at the end."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from rotkeras.pretext.base import Monitor
from rotkeras.text import clock, command_line, points, readable_size
from rotkeras.training.callbacks.progress import Progress

_MOST_CLASSES = 25


class FineTuneConsole:
    """Runs a fine-tuning and shows it.

    Args:
        console: to print on.
        interrupted: no longer empty when an interrupt was received.
    """

    def __init__(self, console: Console, interrupted: Sequence[int] = ()) -> None:
        self.console = console
        self.interrupted = interrupted
        self._bars: list[Progress] = []

    def run(self, recipe: Any, folder: Path, overwrite: bool) -> tuple[dict[str, Any], Any]:
        """Fine-tune; the summary and what the export left."""
        from rotkeras.transfer.run import run_fine_tuning

        try:
            return run_fine_tuning(
                recipe,
                folder,
                overwrite=overwrite,
                tell=self.tell,
                say=lambda what: self.tell(f"{what} …"),
                begun=self.begun,
            )
        finally:
            for bar in self._bars:
                bar.close()

    def begun(self, goal: Any, labelled: Any) -> Sequence[Any]:
        """Say what was read, and give the callbacks that show progress and see interrupts."""
        import keras

        parts = (labelled.train, labelled.validation, labelled.test)
        counts = " + ".join(
            f"{len(part):,} {name}"
            for part, name in zip(parts, ("training", "validation", "test"), strict=True)
        )
        self.tell(f"{labelled.name}: {counts} images, {len(labelled.class_names)} classes")
        key, short = goal.score.key, goal.score.short
        monitor = Monitor(f"val_{key}", goal.score.words, f"validation {short}")
        self._bars.append(Progress(self.console, monitor=monitor))
        # An interrupt that a library swallows is seen after the step.
        looking = keras.callbacks.LambdaCallback(on_train_batch_end=self._look)
        return [self._bars[-1], looking]

    def _look(self, batch: int, logs: Any = None) -> None:
        if self.interrupted:
            raise KeyboardInterrupt

    def show(self, summary: dict[str, Any], exported: Any, folder: Path) -> None:
        """Print the result."""
        self.tell("")
        self.tell(score_words(summary))
        self.tell(
            f"encoder {summary['encoder_words']}; best epoch {summary['best_epoch']} of"
            f" {summary['epochs']} by validation ({100 * summary['validation']:.1f} %),"
            f" {clock(summary['seconds'])}"
        )
        for name, value in summary["test"]["details"].items():
            self.tell(f"{name} {100 * value:.1f} %")
        classes = summary["test"]["classes"]
        if len(classes) <= _MOST_CLASSES:
            table = Table(box=None, pad_edge=False)
            table.add_column("class")
            table.add_column("%", justify="right")
            for name, value in classes.items():
                table.add_row(name, "–" if value is None else f"{100 * value:.1f}")
            self.tell("")
            self.console.print(table)
        if exported is not None:
            self.files(exported)
        self.tell("")
        self.tell(f"network: {folder / 'model.keras'}")
        self.tell(f"page:    {folder / 'report.html'}")
        if exported is not None:
            self.tell(f"files:   {exported.folder}")
            example = command_line("python", exported.folder / "example.py", "PHOTO.jpg")
            self.tell(f"next:    {example}")

    def files(self, exported: Any) -> None:
        """Print the table of exported files."""
        table = Table(box=None, pad_edge=False)
        for name in ("file", "size", "ms", "%", "drop, points"):
            table.add_column(name, justify="left" if name == "file" else "right")
        for name, record in exported.proof["files"].items():
            (drop,) = record["drops"].values()
            table.add_row(
                name,
                readable_size(record["bytes"]),
                f"{record['milliseconds']:.3g}",
                f"{100 * record['score']['score']:.1f}",
                points(drop["drop"], drop["low"], drop["high"]),
            )
        self.tell("")
        self.console.print(table)
        if candidates := exported.proof["candidates"]:
            self.tell(f"recommended: {candidates['recommended']} ({candidates['why']})")
        for profile, why in exported.rejected.items():
            self.tell(f"rejected: {profile} loses {why}")

    def tell(self, line: str) -> None:
        """Print a line."""
        self.console.print(line, markup=False)


def score_words(summary: dict[str, Any]) -> str:
    """The score with its interval, in one line."""
    test = summary["test"]
    return (
        f"{summary['score_words']} {100 * test['score']:.1f} %"
        f" ({100 * test['low']:.1f} … {100 * test['high']:.1f}) on {test['images']:,}"
        f" test images"
    )
