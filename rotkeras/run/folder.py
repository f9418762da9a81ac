"""A run folder: one training and all it leaves behind."""

import json
import os
import platform
import shutil
import sys
from importlib import metadata
from typing import Any

from rotkeras import __version__
from rotkeras.arguments.checked import checked
from rotkeras.errors import UserError
from rotkeras.files import check_writable, expanded, read_json, write_json, write_text
from rotkeras.pretext import facts_of_section
from rotkeras.pretext.base import TaskFacts
from rotkeras.recipe import Recipe, dump
from rotkeras.recipe.files import validate
from rotkeras.recipe.images import LOCATIONS
from rotkeras.recipe.read import read_mapping
from rotkeras.text import Words, command_line

PACKAGES = (
    "tensorflow",
    "keras",
    "keras-cv",
    "tensorflow-datasets",
    "tf-keras-vis",
    "numpy",
    "scikit-learn",
)


class Run:
    """The names of a run's files, and the rules that keep them safe.

    recipe.yaml          the recipe with all defaults, with versions
    task.json            what the task is: its metric, classes and method
    metrics.jsonl        one object per epoch
    summary.json         what came out: accuracies, time, versions, machine
    model.keras          backbone and head after the last epoch
    encoder.keras        the best encoder on validation; encoder-last.keras that of the last epoch
    checkpoints/         what --resume continues from
    tensorboard/         logs for TensorBoard
    attention/           attention maps, a picture for each epoch that was due
    pictures/            what the trained network answers, as the task draws it
    export/              what `rotkeras export` makes: files for servers and devices, with proof
    report.html          the page of the run

    Args:
        path: the folder; it need not be there yet.
    """

    @checked
    def __init__(self, path: str | os.PathLike[str]) -> None:
        if not os.fspath(path).strip():
            raise UserError(f"The run folder must not be empty, got {path!r}.")
        self.path = expanded(path)
        self.recipe = self.path / "recipe.yaml"
        self.task = self.path / "task.json"
        self.metrics = self.path / "metrics.jsonl"
        self.summary = self.path / "summary.json"
        self.model = self.path / "model.keras"
        self.checkpoints = self.path / "checkpoints"
        self.digests = self.checkpoints / "images.npz"
        self.state = self.checkpoints / "state.json"
        self.tensorboard = self.path / "tensorboard"
        self.attention = self.path / "attention"
        self.pictures = self.path / "pictures"
        self.export = self.path / "export"
        self.report = self.path / "report.html"
        self.resuming = False
        self.checked = False

    def check(
        self,
        recipe: Recipe,
        resume: bool = False,
        overwrite: bool = False,
        elsewhere: str = "start a new run with --run-dir or --overwrite",
    ) -> None:
        """Check that this recipe may run in this folder. Nothing is written or deleted before
        `begin`.

        Args:
            recipe: what will run.
            resume: go on with the run that is there; it must have the same recipe. Without one,
                begin anew.
            overwrite: delete the run that is there.
            elsewhere: what to do when it is another recipe's, in words.

        Raises:
            UserError: when something is there and neither was requested, or it is not this recipe's
                run.
        """
        if resume and overwrite:
            raise UserError(
                "--resume continues a run and --overwrite deletes it: give one of the two."
            )
        check_writable(self.path, "--run-dir", folder=True)
        if self.path.exists() and not self.path.is_dir():
            raise UserError(f"The run folder {self.path} is a file: give another --run-dir.")
        self.resuming = False
        self.checked = True
        if self.recipe.exists():
            if resume:
                self._same_recipe(recipe, elsewhere)
                self.resuming = True
            elif not overwrite:
                raise UserError(
                    f"The run folder {self.path} already holds a run: add --resume to continue"
                    " it, --overwrite to delete it, or --run-dir for another folder (in Python:"
                    " resume=True, overwrite=True, or another Run)."
                )
        elif self.path.exists() and any(self.path.iterdir()):
            raise UserError(
                f"The folder {self.path} is not empty and holds no run: give another --run-dir."
            )

    def begin(self, recipe: Recipe) -> None:
        """Make the folder ready, as `check` found it may be: keep what is there, or delete it and
        write the recipe."""
        self.checked = False  # the next training asks again
        if self.resuming:
            for left in list(self.path.rglob(".part-*")):  # of writes that a kill interrupted
                if left.is_file():  # the folder of an export is cleaned by the next export
                    left.unlink()
            there = self.load_recipe()
            if (there.data, there.probe) != (recipe.data, recipe.probe):
                # The images have moved, and are the same.
                header = self.recipe.read_text(encoding="utf-8").splitlines()
                comments = [line.removeprefix("# ") for line in header if line.startswith("# ")]
                moved = there.model_copy(update={"data": recipe.data, "probe": recipe.probe})
                write_text(self.recipe, dump(moved, "\n".join(comments)))
            return
        if self.recipe.exists():
            self._delete()
        self.path.mkdir(parents=True, exist_ok=True)
        write_text(self.recipe, dump(recipe, self._header()))

    def check_ended(self) -> None:
        """Raise a `UserError` unless this is the folder of a run that has ended."""
        if not self.recipe.exists():
            what = "is not a run folder" if self.path.exists() else "does not exist"
            raise UserError(
                f"{self.path} {what}. Give a folder that `rotkeras train` wrote, such as"
                " runs/quickstart."
            )
        if not self.model.exists() and self.summary.exists():
            raise UserError(
                f"The run {self.path} has ended, but its model.keras is missing. Restore it from a"
                " copy, or train again with --overwrite."
            )
        if not self.model.exists() and not self.checkpoints.exists():
            raise UserError(f"{self.path} has no model.keras. Give the folder of a finished run.")
        if not self.model.exists():
            again: Words = ["rotkeras", "train", self.recipe, "--run-dir", self.path, "--resume"]
            raise UserError(
                f"The run {self.path} is not finished: it has no model.keras. Wait while it trains,"
                f" or resume it with: {command_line(*again)}"
            )

    def load_recipe(self) -> Recipe:
        """The recipe of the run in this folder."""
        return validate(read_mapping(self.recipe), str(self.recipe))

    def task_facts(self) -> TaskFacts:
        """What the run's task is; from its recipe for a run of an earlier version.

        Raises:
            UserError: for a damaged task.json.
        """
        if not self.task.exists():
            return facts_of_section(self.load_recipe().task)
        try:
            return TaskFacts.read(read_json(self.task))
        except (ValueError, KeyError, TypeError):
            raise UserError(
                f"{self.task} is damaged. Restore it from a copy, or train again with --overwrite."
            ) from None

    def load_summary(self) -> dict[str, Any] | None:
        """What came out, or None when the run has not ended.

        Raises:
            UserError: for a file that is damaged, or that holds other content.
        """
        if not self.summary.exists():
            return None
        try:
            summary = json.loads(self.summary.read_text(encoding="utf-8"))
        except ValueError:
            summary = None
        if not isinstance(summary, dict) or any(
            not isinstance(summary.get(key, 0), int | float)
            for key in ("epochs", "seconds", "parameters")
        ):
            raise UserError(
                f"{self.summary} is damaged. Restore it from a copy, or train again with"
                " --overwrite."
            )
        return summary

    def recorded_images(self) -> dict[str, Any] | None:
        """What the run has recorded of its images, {"fingerprint", "location"}; see
        `rotkeras.run.images`. None before the first epoch has ended, and for a run of an earlier
        version."""
        for file, keys in ((self.summary, ("images", "record")), (self.state, ("images",))):
            try:
                content = read_json(file)
                for key in keys:
                    content = content[key]
                content["fingerprint"]["train"]["images"], content["location"]
                found: dict[str, Any] = content
                return found
            except (OSError, ValueError, LookupError, TypeError):
                continue
        return None

    def write_summary(self, summary: dict[str, Any]) -> None:
        """Write `summary.json`; it is there only when the run has ended."""
        write_json(self.summary, summary)

    def _delete(self) -> None:
        # The recipe goes last: as long as it is there, the folder is known for a run.
        for path in sorted(self.path.iterdir(), key=lambda each: each == self.recipe):
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    def _same_recipe(self, recipe: Recipe, elsewhere: str) -> None:
        # These change no weight: a run of before these sections goes on, another page or export may
        # be wanted, or another machine.
        after: Any = dict.fromkeys(("attention", "export", "quality", "report"), True)
        after["train"] = {"placement"}
        # Training compares the images themselves, where the run has recorded them.
        after["data"] = set(LOCATIONS) if self.recorded_images() else {"data_dir", "cache"}
        after["probe"] = {"data": after["data"]}
        stored = self.load_recipe()
        if stored.task.name == "own" != recipe.task.name:
            after["task"] = True  # training compares it with the task that it is given
        there, here = stored.model_dump(exclude=after), recipe.model_dump(exclude=after)
        difference = _first_difference(there, here)
        if difference:
            key, old, new = difference
            raise UserError(
                f"The recipe to resume with must be that of the run, but {self.recipe} has {key}:"
                f" {old!r} and the new one {new!r}. Restore that value, or {elsewhere}."
            )

    def _header(self) -> str:
        lines = [
            f"Resolved by rotkeras {__version__} on Python {platform.python_version()},"
            f" {platform.platform()}."
        ]
        lines += [f"{name} {version}" for name, version in versions().items()]
        return "\n".join(lines)


def versions() -> dict[str, str]:
    """The installed version of every package a result depends on, read without importing it."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "missing"
    if "jax" in sys.modules:  # Keras runs on it
        found["jax"] = metadata.version("jax")
    return found


def _first_difference(old: Any, new: Any, path: str = "") -> tuple[str, Any, Any] | None:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(each for each in new if each not in old)]:
            found = _first_difference(
                old.get(key), new.get(key), f"{path}.{key}" if path else str(key)
            )
            if found:
                return found
        return None
    return None if old == new else (path, old, new)
