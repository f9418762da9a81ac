"""What `rotkeras reproduce` shows: each pre-training and probe, and the table at the end."""

import contextlib
import os
import platform
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table as Grid

from rotkeras.cli import signals
from rotkeras.cli.progress import Watching
from rotkeras.files import write_text, write_whole
from rotkeras.reproduce.paper import TABLES, Table
from rotkeras.reproduce.scale import Scale
from rotkeras.text import command_line

_INTERRUPTED = "Interrupted; finished epochs and rows are kept. Repeat the command to resume."


class ReproduceConsole(Watching):
    """Runs a reproduction and shows it."""

    def __init__(self, console: Console | None = None) -> None:
        super().__init__(
            console or Console(soft_wrap=True, highlight=False, markup=False, emoji=False)
        )
        self._progress: Any = None

    def run(
        self,
        name: str,
        folder: Path,
        base: str,
        scale: Scale,
        seeds: int,
        overrides: Sequence[str],
        data_dir: str | None,
    ) -> None:
        """Reproduce a table and write it."""
        from rotkeras import recipe as recipes
        from rotkeras.reproduce.plan import build_recipe, departures

        table = TABLES[name]
        full = recipes.load(base, overrides, data_dir)
        changed = departures(overrides)
        words = scale.describe(full.train.epochs) + (
            f"; changed by {', '.join(changed)}: not compared" if changed else ""
        )
        conclusive = scale.full and not changed
        for network in dict.fromkeys(entry.network for entry in table.entries):
            build_recipe(
                base, network, scale, 0, overrides, data_dir
            )  # a mistake is reported at once
        from rotkeras.training import devices

        devices.check_backend()
        self.console.print(f"{table.title}\n{words}\nstarting {devices.library()} …")
        devices.quiet()
        devices.keep_freed_memory()
        if full.train.deterministic:
            devices.make_deterministic()  # JAX reads it when it starts
        from rotkeras.reproduce.cifar10 import is_cifar10
        from rotkeras.reproduce.reproduce import reproduce, suffix
        from rotkeras.training.build import load_source

        if scale.full and not devices.accelerators():
            self.console.print(
                "no GPU found: the full scale takes weeks here; --scale 0.02 runs every step in"
                " minutes"
            )
        shrunk = recipes.load(base, [*overrides, *scale.overrides(full)], data_dir)
        whole = load_source(shrunk)
        if conclusive and full.data.kind != "tfds" and not is_cifar10(whole):
            conclusive, words = (
                False,
                f"{words}; of {whole.name}, whose images are not those of CIFAR-10: not compared",
            )
            self.console.print(words)
        source = scale.shrink(whole)
        with contextlib.closing(self), signals.saying(lambda: _INTERRUPTED):
            numbers, runs = reproduce(
                table,
                folder,
                base,
                scale,
                tuple(range(seeds)),
                overrides,
                data_dir,
                source,
                shows=self,
            )
        self._write(table, numbers, runs, folder, base, suffix(scale), words, conclusive)

    def pretraining(self, network: str, seed: int, done: bool) -> Sequence[Any]:
        """Say which pre-training begins, and give its progress bar."""
        self.close()
        if done:
            self.console.print(f"\npre-training {network}, seed {seed}: there already")
            return ()
        self.console.print(f"\npre-training {network}, seed {seed}")
        from rotkeras.training.callbacks import Progress

        self._progress = Progress(self.console)
        return [self._progress]

    def tell(self, line: str) -> None:
        """Print a line."""
        self.console.print(line, markup=False)

    def close(self) -> None:
        """Remove the bars."""
        super().close()
        if self._progress:
            self._progress.close()
            self._progress = None

    def _write(
        self,
        table: Table,
        numbers: Sequence[Any],
        runs: Sequence[Any],
        folder: Path,
        base: str,
        suffix: str,
        words: str,
        conclusive: bool,
    ) -> None:
        from rotkeras.reproduce import plot, tables

        curve = curve_of(runs) if table.name == "figure5a" else []
        summaries = [run.load_summary() or {} for run in runs]
        seconds = [
            f"{run.path.name} {summary['seconds']:,.0f}"
            for run, summary in zip(runs, summaries, strict=True)
        ]
        seeds = sorted({run.load_recipe().train.seed for run in runs})
        facts = {
            "scale": words,
            "command": command_line("rotkeras", *sys.argv[1:]),
            "recipe": (
                f"{base}, seed{'s' if len(seeds) > 1 else ''}"
                f" {', '.join(str(seed) for seed in seeds)}"
            ),
            "protocol": (
                "epochs were chosen on validation, few-label probes took the last; the test set"
                " was read once for each row"
            ),
            "seconds of pre-training": ", ".join(seconds),
            "machine": f"{platform.platform()}, {os.cpu_count()} cores",
            "library": ", ".join(
                dict.fromkeys(summary.get("backend", "tensorflow") for summary in summaries)
            ),
            "versions": ", ".join(
                f"{name} {version}" for name, version in summaries[0]["versions"].items()
            ),
        }
        stem = folder / f"{table.name}-{base}{suffix}"
        paths = [stem.with_name(stem.name + ending) for ending in (".md", ".csv", ".png")]
        write_text(paths[0], tables.as_markdown(table, numbers, facts, conclusive, curve))
        write_text(paths[1], tables.as_csv(numbers, conclusive))
        write_whole(paths[2], lambda path: plot.plot(path, table, numbers, words, curve))
        if curve:
            paths.append(stem.with_name(stem.name + "-curve.csv"))
            write_text(paths[-1], tables.curve_csv(curve))
        self.console.print(self._grid(table, numbers, conclusive))
        self.console.print(f"{words}\nwritten: {', '.join(str(path) for path in paths)}")

    def _grid(self, table: Table, numbers: Sequence[Any], conclusive: bool) -> Grid:
        from rotkeras.reproduce.tables import cells

        plain = not self.console.is_terminal
        grid = Grid(
            box=None if plain else box.SIMPLE_HEAD,
            pad_edge=not plain,
            title=f"\n{table.title}, %",
            title_justify="left",
        )
        grid.add_column(table.row_title or "", max_width=26)
        grid.add_column(table.column_title or "", max_width=15)
        for title in ("ours", "±", "paper", "diff.", "tol.", "within", "rerun"):
            grid.add_column(title, justify="right")
        for number in numbers:
            row, column, ours, margin, _, paper, difference, tolerance, within, rerun = cells(
                number, conclusive
            )
            grid.add_row(
                row,
                column,
                ours,
                margin,
                paper,
                difference,
                tolerance,
                "–" if within == "not compared" else within,
                rerun,
            )
        return grid


def curve_of(runs: Sequence[Any]) -> list[dict[str, Any]]:
    """The points of figure 5a from the logs of runs: {"seed", "epoch", "rotation", "probe"}, the
    probe None between two."""
    from rotkeras.training.callbacks.metrics_log import read_metrics

    return [
        {
            "seed": run.load_recipe().train.seed,
            "epoch": row["epoch"],
            "rotation": row["val_accuracy"],
            "probe": row.get("probe/conv2/conv"),
        }
        for run in runs
        for row in read_metrics(run.metrics)
    ]
