"""What `rotkeras finetune` shows: reading, progress, and the table at the end."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from rotkeras.pretext.base import Monitor
from rotkeras.text import clock, command_line, readable_size
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

    def run(self, recipe: Any, folder: Path, overwrite: bool) -> tuple[dict[str, Any], Any]:
        """Fine-tune; the summary and what the export left."""
        from rotkeras.transfer.run import run_fine_tuning

        bars: list[Progress] = []

        def begun(goal: Any, labelled: Any) -> Sequence[Any]:
            parts = (labelled.train, labelled.validation, labelled.test)
            counts = " + ".join(
                f"{len(part):,} {name}"
                for part, name in zip(parts, ("training", "validation", "test"), strict=True)
            )
            self._print(f"{labelled.name}: {counts} images, {len(labelled.class_names)} classes")
            key, short = goal.score.key, goal.score.short
            monitor = Monitor(f"val_{key}", goal.score.words, f"validation {short}")
            bars.append(Progress(self.console, monitor=monitor))
            return [bars[0]]

        try:
            return run_fine_tuning(
                recipe,
                folder,
                overwrite=overwrite,
                tell=self._print,
                say=lambda what: self._print(f"{what} …"),
                begun=begun,
            )
        finally:
            for bar in bars:
                bar.close()

    def show(self, summary: dict[str, Any], exported: Any, folder: Path) -> None:
        """Print the result."""
        self._print("")
        self._print(score_words(summary))
        self._print(
            f"encoder {summary['encoder_words']}; best epoch {summary['best_epoch']} of"
            f" {summary['epochs']} by validation ({100 * summary['validation']:.1f} %),"
            f" {clock(summary['seconds'])}"
        )
        for name, value in summary["test"]["details"].items():
            self._print(f"{name} {100 * value:.1f} %")
        classes = summary["test"]["classes"]
        if len(classes) <= _MOST_CLASSES:
            table = Table(box=None, pad_edge=False)
            table.add_column("class")
            table.add_column("%", justify="right")
            for name, value in classes.items():
                table.add_row(name, "–" if value is None else f"{100 * value:.1f}")
            self._print("")
            self.console.print(table)
        if exported is not None:
            self._files(exported)
        self._print("")
        self._print(f"network: {folder / 'model.keras'}")
        self._print(f"page:    {folder / 'report.html'}")
        if exported is not None:
            self._print(f"files:   {folder / 'export'}")
            example = command_line("python", folder / "export" / "example.py", "PHOTO.jpg")
            self._print(f"next:    {example}")

    def _files(self, exported: Any) -> None:
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
                f"{drop['drop']:+.1f} ({drop['low']:+.1f} … {drop['high']:+.1f})",
            )
        self._print("")
        self.console.print(table)
        if candidates := exported.proof["candidates"]:
            self._print(f"recommended: {candidates['recommended']} ({candidates['why']})")
        for profile, why in exported.rejected.items():
            self._print(f"rejected: {profile} loses {why}")

    def _print(self, line: str) -> None:
        self.console.print(line, markup=False)


def score_words(summary: dict[str, Any]) -> str:
    """The score with its interval, in one line."""
    test = summary["test"]
    return (
        f"{summary['score_words']} {100 * test['score']:.1f} %"
        f" ({100 * test['low']:.1f} … {100 * test['high']:.1f}) on {test['images']:,}"
        f" {summary['measured_on']} images"
    )
