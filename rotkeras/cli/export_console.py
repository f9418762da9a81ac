"""What an export shows: what it is doing, and the table of what came out."""

import math
import textwrap
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from rotkeras.images.size import shown
from rotkeras.probes.choice import describe
from rotkeras.text import Words, command_line

if TYPE_CHECKING:
    from rotkeras.export import Exported
    from rotkeras.run.folder import Run


class ExportConsole:
    """Shows an export on a terminal or as plain lines, and lets it be interrupted.

    Args:
        console: to print on.
        interrupted: no longer empty once Ctrl-C was pressed.
    """

    def __init__(self, console: Console, interrupted: Sequence[int] = ()) -> None:
        self.console, self._interrupted = console, interrupted
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeRemainingColumn(),
        )
        self._bar = Progress(
            *columns, console=console, transient=True, disable=not console.is_terminal
        )
        self._task: Any = None
        self._what, self._begun = "", time.monotonic()

    def __enter__(self) -> "ExportConsole":
        self._bar.start()
        self._task = self._bar.add_task("", total=None)
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def tell(self, what: str, done: int, total: int) -> None:
        """Show what is being done, and how far it is."""
        if self._interrupted:
            raise KeyboardInterrupt
        self._bar.update(self._task, description=what, completed=done, total=total or None)
        if what != self._what and not self.console.is_terminal and not what.startswith("proving"):
            self.console.print(f"  {what} …")
        self._what = what

    def show(self, exported: "Exported", run: "Run", options: Words = ()) -> None:
        """Print the table of files and whether they passed.

        Args:
            exported: what was made.
            run: whose network it is.
            options: of the command that say where the run's images are, for a command to try next.
        """
        from rotkeras.export.card import comparison, predictions

        proof = exported.proof
        seconds = time.monotonic() - self._begun
        found = proof.get("candidates")
        if proof["files"] or found:
            for headings, rows in (comparison(proof), predictions(proof)):
                if rows:
                    self.console.print(self._table(headings, rows))
            turns = proof["probes"].get("rotations", 4)
            asked = (
                "classes"
                if proof["probes"]["ask"] == "classes"
                else (
                    "the rotation of images (there are no labels), each of"
                    f" {_probed_images(proof)} images in {turns} rotations; chance:"
                    f" {100 / turns:.0f} %"
                )
            )
            part = (
                "held-out images"
                if proof["held_out"]["part"] == "validation"
                else "training images (there is no validation set)"
            )
            keras = {
                name: drop["keras"]
                for each in proof["files"].values()
                for name, drop in each["drops"].items()
            }
            self._say(
                f"{proof['held_out']['images']:,} {part}; ms: median of single images, one thread."
                f"{' ratio: to float32.' if found else ''} cosine: similarity with Keras. drop:"
                " accuracy lost against Keras in percentage points (negative: gained), ± half the"
                f" 95 % confidence interval. Probes predict {asked}."
            )
            unlabelled = [
                name
                for name, each in proof["files"].items()
                if each.get("classes") == "as Keras predicts"
            ]
            if unlabelled:
                self.console.print(
                    f"{', '.join(unlabelled)}: compared with what Keras predicts, because the run's"
                    " own task,\nwhich knows the true classes, is not at hand."
                )
            self._say(
                "accuracy in Keras (probes: of the encoder's vectors, one per image): "
                + ", ".join(f"{name} {100 * value:.1f} %" for name, value in keras.items())
            )
        if found:
            self._candidates(found, proof["gate"]["max_drop"])
        self._encoder(proof["encoder"], run)
        if "saved_model" in proof:
            error = max(proof["saved_model"]["max_error"].values())
            names = ", ".join(proof["saved_model"]["signatures"])
            self.console.print(f"SavedModel: {names}; differs from Keras by at most {error:.1e}")
        limit = proof["gate"]["max_drop"]
        if exported.rejected:
            for name, why in exported.rejected.items():
                self.console.print(f"REJECTED: {name}: {why}; at most {limit} are allowed")
            self.console.print(
                f"nothing was exported; the rejected files are in {_from_here(exported.folder)}"
            )
            self.console.print(f"next:    {_with_auto(exported.folder, run, options)}")
            self.console.print("or try more --calibration-images, or another --tap")
            return
        self.console.print(
            f"passed: no significant accuracy drop above {limit} points ({seconds:.0f} s)"
        )
        if undecided := proof["gate"]["undecided"]:
            self._say(
                f"The images are too few to exclude a drop of {limit} points in"
                f" {', '.join(undecided)}; {_more_images(limit)}."
            )
        files = ", ".join(exported.proof["files"])
        self._say(f"exported to {_from_here(exported.folder)}: {files or 'saved_model'}")
        self._say("verify.json is the proof, model_card.md says what it is, example.py runs it")

    def _candidates(self, found: dict[str, Any], limit: float) -> None:
        """What auto chose, and why not the others."""
        lines = [f"* recommended for {found['aim']}: {found['recommended']}; {found['why']}"]
        if found["losing"]:
            lines.append(
                f"passed over, because a probe lost more than {limit} points:"
                f" {', '.join(found['losing'])}"
            )
        if found["undecided"]:
            lines.append(
                f"passed over, because the images are too few to exclude a drop of {limit} points:"
                f" {', '.join(found['undecided'])}; {_more_images(limit)}"
            )
        lines += [f"left out: {name}; {why}" for name, why in found["left_out"].items()]
        lines.append(
            "ms are of this processor: run rotkeras benchmark FILE on the device itself, and"
            " --profile NAME for another file"
        )
        for line in lines:
            self._say(line)

    def _say(self, line: str) -> None:
        for part in textwrap.wrap(line, 80, break_on_hyphens=False):
            self.console.print(part, markup=False)

    def _encoder(self, encoder: dict[str, Any], run: "Run") -> None:
        if encoder["taps"]:
            scores = ", ".join(
                f"{name} {100 * value:.1f}" for name, value in encoder["taps"].items()
            )
            by_default = (encoder.get("choice") or {}).get("by") == "default"
            how = "the default" if by_default else "the best on validation"
            self._say(
                f"tap {encoder['tap']}, {how}; {encoder['parameters']:,} weights up to it. Ridge"
                f" regression on the vectors that each tap would give: {scores} %"
            )
            self._say(describe(encoder["tap"], encoder.get("choice") or {}))
        best = ((run.load_summary() or {}).get("encoder") or {}).get("best") or {}
        if best and best["tap"] != encoder["tap"]:
            self.console.print(
                f"encoder.keras is cut at another tap, {best['tap']}: do not mix its features with"
                " these"
            )
        if encoder["input_size"] != encoder["trained_size"] and not encoder["resize"]:
            size = shown(encoder["trained_size"])
            self.console.print(
                f"trained on {size} pixels: compare what Keras reaches above with --resize,"
                " or without --input-size"
            )

    def _table(self, headings: list[str], rows: list[list[str]]) -> Table:
        from rich import box

        plain = not self.console.is_terminal
        # One space beside the border's: with two, the table of auto is wider than a terminal.
        style: Any = {} if plain else {"box": box.SIMPLE_HEAD, "padding": (0, 1, 0, 0)}
        table = Table(pad_edge=False, **({"box": None} | style))
        for heading in headings:
            table.add_column(
                heading, justify="left" if heading == "profile" else "right", no_wrap=True
            )
        for row in rows:
            table.add_row(*row)
        return table


def _more_images(limit: float) -> str:
    """What would decide it: the rule of three, if not a single answer changes."""
    if limit <= 0:
        return "no number of images can exclude it"
    return f"that takes at least {math.ceil(300 / limit):,} held-out images (--images, validation)"


def _probed_images(proof: dict[str, Any]) -> int:
    """Held-out images whose rotations the probes predict."""
    drops = (drop for each in proof["files"].values() for drop in each["drops"].values())
    return min((int(drop["images"]) for drop in drops), default=0)


def _with_auto(rejected: Path, run: "Run", options: Words) -> str:
    """The command that exports the same run by a profile that does not lose too much."""
    target = rejected.with_name(rejected.name.removesuffix("-rejected"))
    words: list[Any] = ["rotkeras", "export", run.path, "--profile", "auto"]
    if target.resolve() != run.export.resolve():
        words += ["-o", _from_here(target)]
    if target.exists():
        words.append("--overwrite")
    return command_line(*words, *options)


def _from_here(folder: Path) -> Path:
    """A path as the other lines name it: from the current folder, where it lies in it."""
    here = Path.cwd().resolve()
    return folder.relative_to(here) if folder.is_relative_to(here) else folder
