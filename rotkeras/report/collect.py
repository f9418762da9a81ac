"""What a run folder holds, read once for the page. Nothing here starts TensorFlow."""

import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from rotkeras.errors import UserError
from rotkeras.evaluate.record import KEY
from rotkeras.files import expanded, read_json_lines
from rotkeras.pretext.base import Monitor, TaskFacts
from rotkeras.recipe import Recipe
from rotkeras.run.folder import Run


@dataclass(frozen=True)
class Evaluation:
    """One `evaluation*.json` of a run.

    Attributes:
        name: of the file, without `.json`.
        content: what `rotkeras evaluate` wrote.
    """

    name: str
    content: dict[str, Any]

    @property
    def rows(self) -> list[dict[str, Any]]:
        """All its rows."""
        rows: list[dict[str, Any]] = self.content["rows"]
        return rows

    def part(self, rows: list[dict[str, Any]]) -> str:
        """The part that all these rows were evaluated on: test, or validation while one of them
        lacks it."""
        return "test" if all(row["test"] for row in rows) else "validation"

    def images(self, part: str) -> int:
        """How many images a part has."""
        count: int = self.content["images"][part]
        return count

    def title(self, part: str) -> str:
        """Whose images, and which part of them."""
        return f"{self.images(part):,} {part} images of {self.content['images']['source']}"


@dataclass(frozen=True)
class Gathered:
    """A run, as the page needs it.

    Attributes:
        run: its folder.
        name: unlike the others of the page.
        key: a word for ids, such as `run1`.
        recipe: its recipe.
        summary: what came out, or None while it has not ended.
        metrics: one object per epoch.
        evaluations: of its own images first.
        notes: what is missing, in sentences.
    """

    run: Run
    name: str
    key: str
    recipe: Recipe
    summary: dict[str, Any] | None
    metrics: list[dict[str, Any]]
    evaluations: list[Evaluation]
    notes: list[str] = field(default_factory=list)

    @cached_property
    def task(self) -> TaskFacts:
        """What its pretext task is."""
        return self.run.task_facts()

    @property
    def monitor(self) -> Monitor:
        """The metric that tells whether the task learns."""
        return self.task.monitor

    def monitored(self) -> tuple[float | None, str]:
        """(the last value of the monitor, "validation" or "training")."""
        last = self.metrics[-1] if self.metrics else {}
        for part, key in (("validation", "val_"), ("training", "")):
            if (value := last.get(key + self.monitor.metric)) is not None:
                return value, part
        return None, "training"

    def series(self, key: str) -> list[tuple[int, float]]:
        """(epoch, value) of one name of the logs, where it is there and finite."""
        return [(row["epoch"], row[key]) for row in self.metrics if row.get(key) is not None]


def gather(path: Path, key: str, name: str | None = None) -> Gathered:
    """Read a run folder.

    Raises:
        UserError: when the folder is no run, or a file in it is broken.
    """
    run = Run(path)
    if not run.recipe.exists():
        what = "is not a run folder" if run.path.exists() else "does not exist"
        raise UserError(
            f"{run.path} {what}. Give a folder that `rotkeras train` wrote, such as"
            " runs/quickstart."
        )
    try:
        run.recipe.read_text(encoding="utf-8")
    except ValueError:
        raise UserError(
            f"{run.recipe} is not a text file; restore it from a copy, or train again."
        ) from None
    notes = []
    try:
        summary = run.load_summary()
        metrics = read_json_lines(run.metrics) if run.metrics.exists() else []
        if not all(isinstance(row, dict) and isinstance(row.get("epoch"), int) for row in metrics):
            raise ValueError("a row without epoch")
    except (ValueError, KeyError, OSError) as error:
        raise UserError(
            f"{run.path} has a broken summary.json or metrics.jsonl ({error}). Restore them from a"
            " copy, or train again."
        ) from None
    evaluations = []
    for file in sorted(
        run.path.glob("evaluation*.json"), key=lambda each: (each.stem != "evaluation", each.stem)
    ):
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
            each = Evaluation(file.stem, content)
            if each.rows and each.title("validation") and all(_complete(row) for row in each.rows):
                evaluations.append(each)
        except (ValueError, KeyError, TypeError, OSError) as error:
            notes.append(
                f"{file.name} could not be read as an evaluation ({type(error).__name__}) and is"
                " left out."
            )
    if summary is None:
        notes.append("This run has not ended: the page shows what is there so far.")
    return Gathered(
        run,
        name or run.path.resolve().name,
        key,
        run.load_recipe(),
        summary,
        metrics,
        evaluations,
        notes,
    )


def _complete(row: dict[str, Any]) -> bool:
    """Whether a row has all that the page reads of it; a KeyError where it has not."""
    return (
        all(name in row or _missing(name) for name in (*KEY, "test"))
        and row["validation"]["accuracy"] >= 0
    )


def _missing(name: str) -> bool:
    raise KeyError(name)


def gather_all(paths: list[Path]) -> list[Gathered]:
    """Read several run folders; runs of one name are distinguished by their folders."""
    resolved = [expanded(path).resolve() for path in paths]
    if len(set(resolved)) < len(resolved):
        raise UserError("The same run was given twice; give each run once.")
    names = [path.name for path in resolved]
    depth = 1
    while len(set(names)) < len(names):
        depth += 1
        names = ["/".join(path.parts[-depth:]) for path in resolved]
    return [
        gather(path, f"run{number}", name)
        for number, (path, name) in enumerate(zip(paths, names, strict=True), start=1)
    ]
