"""What `rotkeras train` shows: reading, progress, and the table at the end."""

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from rotkeras.cli.advice import next_steps
from rotkeras.cli.skipped import left_out, tell_skipped
from rotkeras.cli.train_images import load_images, load_labelled
from rotkeras.data.source import BadImage, Source
from rotkeras.errors import UserError, brief
from rotkeras.evaluate.intervals import share_margin
from rotkeras.pretext import facts_of_section, of_section
from rotkeras.probes.choice import describe
from rotkeras.quality import Spread
from rotkeras.recipe import Recipe
from rotkeras.run.folder import Run
from rotkeras.text import Words, clock, command_line

if TYPE_CHECKING:
    from rotkeras.training.hosts import Hosts


class TrainConsole:
    """Runs a training and shows it, on a terminal or as plain lines."""

    def __init__(self, console: Console | None = None, together: "Hosts | None" = None) -> None:
        silent = (
            together is not None and together.number > 0
        )  # the first of several processes shows it for all
        self.console = console or Console(
            soft_wrap=True, highlight=False, markup=False, emoji=False, quiet=silent
        )
        self.together = together
        self.rejected = False
        """Whether an export was requested and failed."""
        self.collapsed = False
        """Whether the embeddings of different images became equal."""

    def run(self, recipe: Recipe, run: Run, interrupted: Sequence[int] = ()) -> dict[str, Any]:
        """Train, print the table, and return the summary; stop after the step in which
        `interrupted` is no longer empty."""
        if self.together:
            self._meet(self.together, recipe)
        finished = run.load_summary() if run.resuming else None
        changed = self._changed_images(recipe, run) if finished else None
        if self.together:
            has_finished, has_changed = self._from_first(bool(finished), bool(changed))
            if has_changed and not changed:
                raise UserError("The images have changed since this run began; process 0 says how.")
            if has_finished and not finished:
                print("this run has ended; nothing to resume", flush=True)
                return {}
        if changed:
            raise changed
        if finished:
            run.check_ended()
            count = finished["epochs"]
            self.console.print(
                f"This run has ended after {count} epoch{'s' if count > 1 else ''}; there is"
                " nothing to resume.\n"
            )
            self.show(finished, run)
            if recipe.export is not None and not run.export.exists():
                self.console.print(
                    f"no export: make it with {command_line('rotkeras', 'export', run.path)}"
                )
            return finished
        from rotkeras.training import devices, hosts

        self.console.print(f"{recipe.name}: starting {devices.library()} …")
        devices.quiet()
        devices.keep_freed_memory()
        if recipe.train.deterministic:
            devices.make_deterministic()  # JAX reads it when it starts
        import keras

        from rotkeras.training import callbacks, trainer

        source = load_images(self.console, recipe)
        labelled = load_labelled(self.console, recipe, source)
        self._describe(recipe, (source, labelled), run)
        stop = keras.callbacks.LambdaCallback(
            on_train_batch_end=lambda batch, logs: self._check(interrupted)  # noqa: ARG005
        )
        monitor = facts_of_section(recipe.task, recipe.train.images_per_batch).monitor
        progress = callbacks.Progress(self.console, initial_epoch=self._done(run), monitor=monitor)
        try:
            summary = trainer.train(
                recipe,
                run,
                source,
                [progress, stop],
                tell=self.console.print,
                labelled=labelled,
            )
        finally:
            progress.close()
        if self.together:
            hosts.part()
        if not summary:  # not the first of several processes
            print("trained; the run folder is that of process 0", flush=True)
            return summary
        self.show(summary, run)
        if devices.backend() != "tensorflow":
            self._with_tensorflow(recipe, run)
            return summary
        self._export(recipe, run, source, interrupted)
        self._report(recipe, run)
        return summary

    def _from_first(self, *values: bool) -> list[bool]:
        """What the first process says, in all of them."""
        import numpy as np

        from rotkeras.training import hosts

        return [bool(value) for value in hosts.from_first(np.asarray(values))]

    def _meet(self, together: "Hosts", recipe: Recipe) -> None:
        from rotkeras.training import devices, hosts

        if recipe.train.deterministic:
            devices.make_deterministic()  # JAX reads it when it starts
        count = len(together.addresses)
        what = "; progress is shown by process 0" if together.number else ""
        there, seconds = together.addresses[0], hosts.MEETING_SECONDS
        print(
            f"process {together.number} of {count}: meeting the others at {there}, for at most"
            f" {seconds} s{what}",
            flush=True,
        )
        devices.quiet()  # JAX imports TensorFlow, where it is installed, when processes meet
        hosts.join(together)

    def _with_tensorflow(self, recipe: Recipe, run: Run) -> None:
        """Name the commands for what needs TensorFlow."""
        if recipe.export is not None:
            export = command_line("rotkeras", "export", run.path)
            self.console.print(f"export:  KERAS_BACKEND=tensorflow {export}")
        if recipe.report is not None:
            report = command_line("rotkeras", "report", run.path)
            self.console.print(f"page:    KERAS_BACKEND=tensorflow {report}")

    def _export(self, recipe: Recipe, run: Run, source: Source, interrupted: Sequence[int]) -> None:
        """Export the encoder when the recipe wants it; what goes wrong with it never loses a
        run."""
        if recipe.export is None:
            return
        from rotkeras.cli.export_console import ExportConsole
        from rotkeras.export import export_run

        self.console.print("\nexporting …")
        command: Words = ["rotkeras", "export", run.path, "--overwrite"]
        again = command_line(*command)
        try:
            with ExportConsole(self.console, interrupted) as shown:
                exported = export_run(
                    run,
                    recipe.export,
                    overwrite=True,
                    source=source,
                    command=command,
                    tell=shown.tell,
                )
            shown.show(exported, run)
            self.rejected = bool(exported.rejected)
        except KeyboardInterrupt:
            self.console.print(f"no export; make it with: {again}")
            raise
        except UserError as error:
            self.rejected = True
            self.console.print(f"no export: {error}")
        except Exception as error:  # the run has ended well, and is whole
            if interrupted:
                raise
            self.rejected = True
            self.console.print(
                f"no export, because of an internal error ({type(error).__name__}: {brief(error)});"
                f" {again} shows it"
            )

    def _report(self, recipe: Recipe, run: Run) -> None:
        """Make the page of the run when the recipe wants one; what goes wrong with it never loses a
        run."""
        if recipe.report is None:
            return
        from rotkeras.report import write_report

        again = command_line("rotkeras", "report", run.path)
        self.console.print("writing the report …")
        try:
            self.console.print(f"report:  {write_report([run.path], run.report)}")
        except KeyboardInterrupt:
            self.console.print(f"no report; make it with: {again}")
            raise
        except UserError as error:
            self.console.print(f"no report: {error}")
        except Exception as error:  # the run has ended well, and is whole
            reason = " ".join(str(error).split())[:160]
            self.console.print(
                f"no report, because of an internal error ({type(error).__name__}: {reason});"
                f" {again} shows it"
            )

    def _check(self, interrupted: Sequence[int]) -> None:
        if interrupted:
            raise KeyboardInterrupt

    def _done(self, run: Run) -> int:
        import json

        state = run.checkpoints / "state.json"
        done: int = json.loads(state.read_text())["epoch"] if run.resuming and state.exists() else 0
        if done:
            self.console.print(f"resuming after epoch {done}")
        return done

    def _changed_images(self, recipe: Recipe, run: Run) -> UserError | None:
        """The error when a run that has ended was trained on other images than the recipe's."""
        from rotkeras.run.images import NEW_RUN, NOT_RECORDED, check_images
        from rotkeras.training import devices

        if run.recorded_images() is None:
            self.console.print(NOT_RECORDED)
            return None
        if recipe.data.kind == "tfds":
            devices.quiet()
        try:
            check_images(run, load_images(self.console, recipe), remedy=NEW_RUN)
        except UserError as error:
            return error
        return None

    def _describe(self, recipe: Recipe, sources: tuple[Source, Source | None], run: Run) -> None:
        source, labelled = sources
        height, width, _ = source.image_shape
        labels = (
            f"{len(source.train.class_names)} classes"
            if source.train.labels is not None
            else "no labels"
        )
        validation = len(source.validation) if source.validation else 0
        self.console.print(
            f"{source.name}: {len(source.train):,} training and {validation:,} validation images,"
            f" {height}×{width} pixels, {labels}"
        )
        if source.kept:
            self.console.print(f"images {source.kept}")
        for note in source.notes:
            self.console.print(f"note: {note}", markup=False)
        if source.skipped:
            self.console.print(f"{left_out(len(source.skipped))}; listed at the end")
        from rotkeras.training import devices
        from rotkeras.training.notes import why_no_probes

        if labelled is not None:
            part = labelled.validation
            self.console.print(
                f"features are probed on {labelled.name}: {len(labelled.train):,} training and"
                f" {len(part) if part else 0:,} validation images"
            )
            for note in labelled.notes:
                self.console.print(f"note: {note}", markup=False)
        if reason := why_no_probes(labelled or source):
            words = of_section(recipe.task).monitor.words
            self.console.print(f"no probes: {reason}; {words} shows the progress")

        if (
            recipe.train.precision == "mixed_bfloat16"
            and not devices.accelerators()
            and devices.has_bfloat16() is False
        ):
            self.console.print(
                "this processor has no bfloat16: mixed_bfloat16 may take ten times as long as"
                " float32"
            )
        self.console.print(f"run folder: {run.path}\n")

    def show(self, summary: dict[str, Any], run: Run) -> None:
        """Print the results, and commands for what to do next."""
        print_ = self.console.print
        metrics, probes = summary["metrics"], summary["probes"]
        monitor = run.task_facts().monitor
        part = "validation" if f"val_{monitor.metric}" in metrics else "training"
        value = metrics[("val_" if part == "validation" else "") + monitor.metric]
        chance = "" if monitor.chance is None else f" (chance: {monitor.show(monitor.chance)})"
        epochs = f"{summary['epochs']} epoch{'s' if summary['epochs'] > 1 else ''}"
        print_(
            f"\n{monitor.words} {monitor.show(value)} on {part} images{chance}, {epochs},"
            f" {clock(summary['seconds'])}"
        )
        count = summary["images"]["validation" if part == "validation" else "train"]
        if monitor.chance is not None and value - share_margin(value, count) <= monitor.chance:
            print_("this is not better than chance: train longer, or on more images")
        if "spread/rank" in metrics:
            spread = Spread(*(metrics[f"spread/{each}"] for each in ("std", "rank", "cosine")))
            self._wrapped(
                f"embeddings: spread {spread.std:.2f} (1: even), effective rank"
                f" {spread.rank:.1f}, mean cosine similarity of different images"
                f" {spread.cosine:.2f}"
            )
            if spread.collapsed:
                self.collapsed = True
                self._wrapped(
                    "The embeddings have collapsed: different images have nearly the same one, so"
                    " the encoder is of no use. Lower train.learning_rate, use more images in a"
                    " batch, or stronger augmentation."
                )
        if probes["trained"]:
            print_(probe_table(probes, plain=not self.console.is_terminal))
            count = probes.get("images") or summary["images"]["validation"]
            first = next(iter(next(iter(probes["trained"].values()))))
            best_probe = max(each[first] for each in probes["trained"].values())
            margin = 100 * share_margin(best_probe, count)
            self._wrapped(
                f"Accuracy in % on {count:,} validation images (95 % interval of the highest:"
                f" ±{margin:.1f}). A probe is a classifier fitted on the features of one tap (the"
                " output of a block): untrained is a network with random weights, trained is this"
                " one. The accuracy of the last block may be lower, because it specialises on"
                " the pretext task."
            )
        best = summary["encoder"]["best"]
        reason = (
            f"{best['measure']} "
            + (
                monitor.show(best["value"])
                if best["measure"] == monitor.words
                else f"{100 * best['value']:.1f} %"
            )
            if best["measure"] != "epoch"
            else "the last epoch"
        )
        print_(
            f"\nencoder: {run.path / 'encoder.keras'}  (tap {best['tap']}, epoch {best['epoch']}:"
            f" {reason})"
        )
        self._wrapped(describe(best["tap"], best))
        tell_skipped(
            self.console,
            [BadImage(**bad) for bad in summary["images"]["skipped"]],
            ", in summary.json",
        )
        print_(f"load it: keras.models.load_model({str(run.path / 'encoder.keras')!r})")
        for line, what in next_steps(run, summary):
            print_(f"next:    {line}   ({what})")

    def _wrapped(self, text: str) -> None:
        """Print a paragraph in lines of at most 80 columns."""
        for line in textwrap.wrap(text, 80, break_on_hyphens=False):
            self.console.print(line, markup=False)


def probe_table(probes: dict[str, Any], plain: bool) -> Table:
    """The probe accuracies of each tap, untrained and trained; fits 80 columns with two probes."""
    from rich import box

    table = Table(
        box=None if plain else box.SIMPLE_HEAD,
        pad_edge=not plain,
        title=f"\nprobe accuracy after epoch {probes['epoch']}, in %",
        title_justify="left",
    )
    table.add_column("tap")
    untrained = probes["untrained"]
    for probe in next(iter(untrained.values())):
        for column in ("untrained", "trained", "gain"):
            table.add_column(f"{probe}\n{column}", justify="right")
    for tap, trained in probes["trained"].items():
        row = [tap]
        for probe, value in trained.items():
            # Rounded first, so that the gain is the difference of what stands beside it.
            before, after = round(100 * untrained[tap][probe], 1), round(100 * value, 1)
            row += [f"{before:.1f}", f"{after:.1f}", f"{after - before:+.1f}"]
        table.add_row(*row)
    return table
