"""What `rotkeras evaluate` shows: progress, and tables of accuracies."""

import contextlib
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from rotkeras.cli import signals
from rotkeras.cli.advice import places_as_options
from rotkeras.cli.quality_console import quality_notes, quality_table
from rotkeras.cli.tables import new_table
from rotkeras.errors import UserError
from rotkeras.evaluate import tables
from rotkeras.evaluate.intervals import share_margin
from rotkeras.evaluate.names import MODE_NAMES
from rotkeras.files import check_writable
from rotkeras.text import Words, command_line

_INTERRUPTED = "Interrupted; finished rows are kept. Repeat the command to fit the rest."


class EvaluateConsole:
    """Runs an evaluation and shows it, on a terminal or as plain lines."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(
            soft_wrap=True, highlight=False, markup=False, emoji=False
        )

    def run(
        self,
        folder: Path,
        options: dict[str, Any],
        labelled: str | None,
        test_folder: str | None,
        data_dir: str | None,
        places: dict[str, str | None] | None = None,
    ) -> None:
        """Evaluate the run in a folder and print its tables."""
        from rotkeras.cli.progress import Watching
        from rotkeras.run.folder import Run

        run = Run(folder)
        run.check_ended()
        check_writable(run.path, "The run folder", folder=True)
        from rotkeras.data.interpret import interpret
        from rotkeras.run.images import recipe_of_images

        command: Words = ["rotkeras", "evaluate", folder]
        if labelled is None:  # mistakes are reported before TensorFlow starts
            recipe_of_images(run, places, data_dir=data_dir, command=command, labelled=True)
        else:
            interpret(labelled, data_dir or run.load_recipe().data.data_dir)
        from rotkeras.training import devices

        devices.check_backend()
        self.console.print(f"{run.path}: starting {devices.library()} …")
        devices.quiet()
        devices.keep_freed_memory()
        if run.load_recipe().train.deterministic:
            devices.make_deterministic()  # JAX reads it when it starts
        from rotkeras.evaluate import Options, evaluate
        from rotkeras.evaluate.labelled import file_name, load_labelled
        from rotkeras.training.notes import why_no_probes

        wanted = Options(**options)
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
        name = file_name(source, labelled)
        # Who names probes or labels is told what they lack.
        asked = "probes" in options or wanted.labels_per_class != (None,)
        reason = "" if asked else why_no_probes(source)
        if reason:
            self.console.print(f"no probes: {reason}; the features are measured without labels")
        else:
            watching = Watching(self.console)
            with contextlib.closing(watching), signals.saying(lambda: _INTERRUPTED):
                content = evaluate(
                    run,
                    wanted,
                    source,
                    watch=watching.watch,
                    done=watching.done,
                    tested=watching.tested,
                    name=name,
                    tell=lambda line: self.console.print(f"note: {line}", markup=False),
                )
            self.show(content)
            self.console.print(f"\nwritten: {run.path / name}.json ({len(content['rows'])} rows)")
        try:
            self._without_labels(run, source, wanted.taps, name.replace("evaluation", "quality", 1))
        except UserError as error:
            if reason:
                raise
            self.console.print(f"no measures without labels: {error}")  # after probes that are kept
        where = places_as_options(places, data_dir if labelled is None else None)
        report = command_line("rotkeras", "report", run.path, *where)
        before = "" if devices.backend() == "tensorflow" else "KERAS_BACKEND=tensorflow "
        self.console.print(f"next:    {before}{report}   (a page with tables and pictures)")

    def _without_labels(self, run: Any, source: Any, taps: Any, name: str) -> None:
        """Measure without labels, and print the table."""
        from rotkeras.evaluate import evaluate_without_labels

        content = evaluate_without_labels(run, source, taps=taps, name=name)
        self.console.print(quality_table(content, plain=not self.console.is_terminal))
        self.console.print()
        for line in quality_notes():
            self.console.print(line)
        self.console.print(f"\nwritten: {run.path / name}.json")

    def show(self, content: dict[str, Any]) -> None:
        """Print the tables of an evaluation."""
        rows, images = content["rows"], content["images"]
        part = tables.part_of(rows)
        count = images.get("test") if part == "test" else images["validation"]
        plain = not self.console.is_terminal
        for (labels, draw), group in tables.grouped(rows, "labels_per_class", "draw").items():
            title = "all labels" if labels == "all" else f"{labels} labels per class ({draw})"
            for table in tap_tables(
                group, part, count, f"{title}: accuracy in % on {count:,} {part} images", plain
            ):
                self.console.print(table)
        full = [row for row in rows if row["labels_per_class"] == "all"]
        for table in class_tables(full, content, part, plain):
            self.console.print(table)
        self.console.print()
        for note in (*notes(rows, part, count, content["test_part"]), about_taps(full, content)):
            for line in textwrap.wrap(note, 80, break_on_hyphens=False):
                self.console.print(line)


def tap_tables(
    rows: Sequence[dict[str, Any]], part: str, count: int, title: str, plain: bool
) -> list[Table]:
    """Taps by (probe, mode); each kind of number has a column of its own, and no table is wider
    than 80 columns."""
    seeds = max(
        len(group) for group in tables.grouped(rows, "tap", "probe", "mode", "budget").values()
    )
    found = []
    columns = tables.columns(rows)
    most = 4 if seeds > 1 else 6
    pages = _pages(columns, most)
    for page in pages:
        table = new_table(title if page is pages[0] else "", plain)
        table.add_column("tap")
        for probe, mode, budget in page:
            table.add_column(f"{_lines(probe)}\n{MODE_NAMES[mode]}{_mark(budget)}", justify="right")
        for (tap,), group in sorted(tables.grouped(rows, "tap").items()):
            cells = []
            for column in page:
                these = [
                    row for row in group if (row["probe"], row["mode"], row["budget"]) == column
                ]
                cell = tables.cell(these, part, count)
                cells.append(cell.text(margin=cell.seeds > 1) if cell else "")
            if any(cells):
                table.add_row(tap, *cells)
        found.append(table)
    return found


def class_tables(
    rows: Sequence[dict[str, Any]], content: Mapping[str, Any], part: str, plain: bool
) -> list[Table]:
    """Classes by (probe, mode), each at the tap that validation chooses."""
    wanted = [column for column in tables.columns(rows) if column[1] != "random"]
    found = []
    pages = _pages(wanted, 6)
    for page in pages:
        groups = {
            column: [row for row in rows if (row["probe"], row["mode"], row["budget"]) == column]
            for column in page
        }
        best = {column: tables.best_tap(group, content).tap for column, group in groups.items()}
        shown = {
            column: tables.per_class([row for row in group if row["tap"] == best[column]], part)
            for column, group in groups.items()
        }
        table = new_table(
            (
                f"all labels: accuracy by class in % on {part} images, best tap on validation"
                if page is pages[0]
                else ""
            ),
            plain,
        )
        table.add_column("class")
        for column in page:
            probe, mode, budget = column
            table.add_column(
                f"{_lines(probe)}\n{MODE_NAMES[mode]}{_mark(budget)}\n{best[column]}",
                justify="right",
            )
        for name in next(iter(shown.values())):
            values = [each[name] for each in shown.values()]
            table.add_row(
                name[:24], *("" if value is None else f"{100 * value:.1f}" for value in values)
            )
        found.append(table)
    return found


def notes(
    rows: Sequence[dict[str, Any]], part: str, count: int, test_part: str | None
) -> list[str]:
    """How to read the numbers: sentences, a paragraph each."""
    seeds = max(
        len(group)
        for group in tables.grouped(
            rows, "tap", "probe", "mode", "labels_per_class", "draw", "budget"
        ).values()
    )
    best = max(row[part]["accuracy"] for row in rows)
    margin = 100 * share_margin(best, count)
    widest = 100 * share_margin(0.5, count)
    found = [
        f"95 % interval of one seed on {count:,} images: ±{margin:.1f} at {100 * best:.0f} %, at"
        f" most ±{widest:.1f} (at 50 %)."
    ]
    if seeds > 1:
        found = [
            f"± is the 95 % interval over up to {seeds} seeds of probes, drawn labels and untrained"
            " networks; the pre-trained network is always the same. A number without ± does not"
            " depend on a seed, or was measured with one seed."
        ]
    for grid, crop, standardized in dict.fromkeys(
        tuple(row["patches"][name] for name in ("grid", "crop", "standardize"))
        for row in rows
        if "patches" in row
    ):
        words, like = (
            (", standardised", ", each with one mean and deviation") if standardized else ("", "")
        )
        found.append(
            f"{grid}×{grid} of {100 * crop:g} %{words}: features are the mean over {grid}×{grid}"
            f" patches, which make up {100 * crop:g} % of the sides of an image{like}."
        )
    budgets = {row["budget"] for row in rows}
    if any(budget.startswith("fast") for budget in budgets):
        found.append(
            "* budget fast: shortened schedules. --budget published uses those of the paper."
        )
    if any("×" in budget for budget in budgets):
        found.append(
            f"Scaled schedules: {', '.join(sorted(budget for budget in budgets if '×' in budget))}."
        )
    if part == "test":
        found.append(
            "The test set was read once for each row, after all probes had been fitted. The epochs"
            " of trained probes were chosen on validation images; with few labels the last epoch is"
            " used."
        )
    elif test_part in ("none", "without labels"):
        what = "There is no test set" if test_part == "none" else "The test set has no labels"
        found.append(
            f"{what}: these are validation images, which also chose the epochs of trained probes."
        )
    else:
        found.append("Not every row has been evaluated on the test set; repeat the command.")
    return found


def about_taps(rows: Sequence[dict[str, Any]], content: Mapping[str, Any]) -> str:
    """A paragraph on probes for which the validation images do not decide between taps; "" where
    they do."""
    found = {}
    for column in tables.columns(rows):
        group = [row for row in rows if (row["probe"], row["mode"], row["budget"]) == column]
        choice = tables.best_tap(group, content)
        if choice.arbitrary and column[1] != "random":
            found[f"{column[0]} ({MODE_NAMES[column[1]]})"] = choice
    if not found:
        return ""
    return (
        f"The choice of tap is arbitrary for {', '.join(found)}: on"
        f" {content['images']['validation']:,} validation images the highest accuracy does not"
        " differ significantly from that of other taps. The second tap is used if it is among"
        " these. Use more validation images to decide."
    )


def _lines(probe: str) -> str:
    """The name of a probe in a heading: patches are in a line of their own, which fits a column of
    six in a terminal."""
    return probe.replace(", ", "\n").replace("standardised", "standard.")


def _mark(budget: str) -> str:
    return "*" if budget.startswith("fast") else ""


def _pages(columns: Sequence[Any], most: int) -> list[list[Any]]:
    """Columns in pages of at most so many, a probe's columns on one page."""
    pages: list[list[Any]] = [[]]
    groups: dict[Any, list[Any]] = {}
    for column in columns:
        groups.setdefault(column[0], []).append(column)
    for group in groups.values():
        if pages[-1] and len(pages[-1]) + len(group) > most:
            pages.append([])
        pages[-1] += group
    return [page for page in pages if page]
