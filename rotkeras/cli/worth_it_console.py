"""What `rotkeras worth-it` shows: progress, a table, and one sentence."""

import contextlib
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from rotkeras.cli import signals
from rotkeras.cli.progress import Watching
from rotkeras.errors import UserError
from rotkeras.files import check_writable
from rotkeras.text import Words, clock

_INTERRUPTED = "Interrupted; finished fits are kept. Repeat the command to fit the rest."


class WorthItConsole:
    """Runs the comparison and shows it."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(
            soft_wrap=True, highlight=False, markup=False, emoji=False
        )

    def run(
        self,
        folder: Path,
        labelled: str | None,
        test_folder: str | None,
        data_dir: str | None,
        wanted: Sequence[int],
        seeds: int,
        tap: str | None,
        budget: str,
        places: dict[str, str | None] | None = None,
    ) -> None:
        """Compare, print the table and the verdict, and write `worth-it.json`."""
        from rotkeras.run.folder import Run

        run = Run(folder)
        run.check_ended()
        check_writable(run.path, "The run folder", folder=True)
        from rotkeras.data.interpret import interpret
        from rotkeras.run.images import recipe_of_images

        command: Words = ["rotkeras", "worth-it", folder]
        if labelled is None:  # mistakes are reported before TensorFlow starts
            recipe_of_images(run, places, data_dir=data_dir, command=command, labelled=True)
        else:
            interpret(labelled, data_dir or run.load_recipe().data.data_dir)
        from rotkeras.files import write_json
        from rotkeras.training import devices

        devices.check_backend()
        self.console.print(f"{run.path}: starting {devices.library()} …")
        devices.quiet()
        devices.keep_freed_memory()
        if run.load_recipe().train.deterministic:
            devices.make_deterministic()  # JAX reads it when it starts
        from rotkeras.backbones import taps
        from rotkeras.evaluate import evaluate, worth_it
        from rotkeras.evaluate.evaluation import check_source, load_network
        from rotkeras.evaluate.labelled import file_name, load_labelled

        network = load_network(run)
        source = load_labelled(
            run,
            labelled,
            test_folder,
            data_dir,
            data=places,
            command=command,
            tell=lambda line: self.console.print(line, markup=False),
        )
        for note in source.notes:
            self.console.print(f"note: {note}", markup=False)
        counts = worth_it.label_counts(source, wanted)
        check_source(source, network)
        name = file_name(source, labelled)
        if (evaluated := len(source.test or source.validation or ())) < worth_it.LEAST_IMAGES:
            raise UserError(worth_it.verdict({}, evaluated, seeds, 0.0))
        watching = Watching(self.console)
        with contextlib.closing(watching), signals.saying(lambda: _INTERRUPTED):
            options = worth_it.options(counts, seeds, budget, tap)
            content = evaluate(
                run,
                options,
                source,
                watch=watching.watch,
                done=watching.done,
                tested=watching.tested,
                name=name,
                tell=lambda line: self.console.print(f"note: {line}", markup=False),
            )
        seconds = (run.load_summary() or {}).get("seconds", 0.0)
        compared = worth_it.compare(
            content, counts, seeds, budget, tap or taps.default(network), seconds
        )
        path = run.path / f"{name.replace('evaluation', 'worth-it')}.json"
        write_json(path, compared)
        self.show(compared)
        self.console.print(f"written: {path}")

    def show(self, compared: dict[str, Any]) -> None:
        """Print the table and the verdict."""
        plain = not self.console.is_terminal
        title = (
            f"\naccuracy in % on {compared['images']:,} {compared['part']} images, tap"
            f" {compared['tap']}"
        )
        table = Table(
            box=None if plain else box.SIMPLE_HEAD,
            pad_edge=not plain,
            title=title,
            title_justify="left",
        )
        mark = "*" if compared["budget"] == "fast" else ""
        columns = (
            "labels\nper class",
            f"from scratch{mark}",
            f"pre-trained\nconv{mark}",
            "pre-trained\nridge",
            "gain of conv",
        )
        for column in columns:
            table.add_column(column, justify="right")
        for count, each in compared["counts"].items():
            methods = each["methods"]
            cells = [
                f"{100 * methods[name]['mean']:.1f}"
                f" ±{100 * methods[name]['margin']:.1f}\n{clock(methods[name]['seconds'])}"
                for name in ("scratch", "conv", "ridge")
            ]
            gain = f"{100 * each['gain']:+.1f} ±{100 * each['gain_margin']:.1f}"
            table.add_row(
                str(count), *cells, gain + ("" if each["significant"] else "\nnot significant")
            )
        self.console.print(table)
        seeds = compared["seeds"]
        over = (
            f"the 95 % interval over {seeds} seeds"
            if seeds > 1
            else "the 95 % interval of one seed, from the number of images"
        )
        self.console.print(f"± is {over}. Below each accuracy: the time of one fit.")
        if mark:
            self.console.print(
                "* budget fast: shortened schedules. --budget published uses those of the paper."
            )
        self.console.print()
        for line in textwrap.wrap(compared["verdict"], 80, break_on_hyphens=False):
            self.console.print(line, style="bold")
