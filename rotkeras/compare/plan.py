"""The plan of a comparison: written before the first run, and kept by those that follow."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rotkeras import __version__, pretext
from rotkeras import recipe as recipes
from rotkeras.compare.budget import Budget, Rounds, divide, steps_of
from rotkeras.compare.entries import Entry
from rotkeras.errors import UserError
from rotkeras.files import read_json, write_json
from rotkeras.recipe import Recipe

FILE = "plan.json"
COMPARED = "compared.json"
"""In the folder of a run that is evaluated: the source's name, and why there are no probes."""


def run_name(name: str, seed: int) -> str:
    """The name of a run and of its folder."""
    return f"{name}-seed{seed}"


@dataclass(frozen=True)
class Speed:
    """How fast a recipe trains here.

    Attributes:
        steps_per_second: in the measured steps.
        steps: that were measured, after some to warm up.
        seconds: that they took.
    """

    steps_per_second: float
    steps: int
    seconds: float


@dataclass(frozen=True)
class Planned:
    """One task, or backbone, of a comparison, with its budget in its recipe.

    Attributes:
        name: of the entry.
        base: the recipe before the budget.
        recipe: what is trained, with seed 0.
        views_per_image: passes through the backbone for each image of a batch.
        speed: as measured; None for budgets that need no speed.
    """

    name: str
    base: Recipe
    recipe: Recipe
    views_per_image: float
    speed: Speed | None = None

    @property
    def rounds(self) -> Rounds:
        """How a run is divided."""
        train = self.recipe.train
        assert train.images_per_epoch is not None  # set by `planned`
        return Rounds(train.epochs, train.images_per_epoch // train.images_per_batch)

    @property
    def views(self) -> int:
        """Views of a run."""
        train = self.recipe.train
        assert train.images_per_epoch is not None
        return round(train.epochs * train.images_per_epoch * self.views_per_image)

    def with_seed(self, seed: int) -> Recipe:
        """The recipe of one run."""
        train = self.recipe.train.model_copy(update={"seed": seed})
        return self.recipe.model_copy(update={"train": train, "name": run_name(self.name, seed)})


@dataclass
class Plan:
    """All runs of a comparison.

    Attributes:
        budget: as it was given.
        rounds: as they were given.
        seeds: how many runs of each entry.
        entries: what is compared, by name.
        by_backbone: whether the entries differ in their backbone, and else in their task.
    """

    budget: str
    rounds: int
    seeds: int
    by_backbone: bool = False
    entries: dict[str, Planned] = field(default_factory=dict)

    @property
    def runs(self) -> list[tuple[str, int]]:
        """(name, seed), a seed of all entries after the other, so that all are seen early."""
        return [(name, seed) for seed in range(self.seeds) for name in self.entries]

    def write(self, folder: Path) -> None:
        """Write `plan.json`."""
        content = {
            "rotkeras": __version__,
            "budget": self.budget,
            "rounds": self.rounds,
            "seeds": self.seeds,
            "by_backbone": self.by_backbone,
            "entries": {name: _content(entry) for name, entry in self.entries.items()},
        }
        write_json(folder / FILE, content)

    def check_same(self, earlier: "Plan", folder: Path) -> None:
        """Raise a `UserError` when another comparison is in the folder: it says what differs."""
        for key in ("budget", "rounds", "by_backbone"):
            there, here = getattr(earlier, key), getattr(self, key)
            if there != here:
                raise _other(folder, key, there, here)


def same_entry(earlier: Planned, entry: Entry, folder: Path) -> None:
    """Raise a `UserError` when an entry of the folder has another recipe than it has now."""
    difference = first_difference(
        earlier.base.model_dump(mode="json"), entry.recipe.model_dump(mode="json")
    )
    if difference:
        key, there, here = difference
        raise _other(folder, f"{key} of {entry.name}", there, here)


def read(folder: Path) -> Plan | None:
    """The plan of a folder; None where there is none.

    Raises:
        UserError: for a damaged file.
    """
    path = folder / FILE
    if not path.exists():
        return None
    try:
        content = read_json(path)
        entries = {name: _entry(name, each, path) for name, each in content["entries"].items()}
        return Plan(
            content["budget"],
            content["rounds"],
            content["seeds"],
            content["by_backbone"],
            entries,
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(
            f"{path} is damaged. Restore it from a copy, or start again with --overwrite."
        ) from None


def planned(
    entry: Entry, budget: Budget, rounds: int, images: int | None, speed: Speed | None
) -> Planned:
    """An entry with its budget put into its recipe.

    Args:
        entry: name and recipe.
        budget: of each run.
        rounds: how many are wanted.
        images: training images; for epochs, and for tasks that count passes over the images.
        speed: as measured; for minutes.

    Raises:
        UserError: for a budget below one step.
    """
    train = entry.recipe.train
    views_per_image = pretext.of_section(entry.recipe.task).views_per_image()
    steps = steps_of(
        budget,
        train.images_per_batch,
        views_per_image,
        images,
        speed.steps_per_second if speed else None,
    )
    divided = divide(steps, rounds, train.steps_per_execution)
    if divided.count == 0:
        per_step = train.images_per_batch * views_per_image * train.steps_per_execution
        raise UserError(
            f"budget must be at least one step of {entry.name}, {per_step:,.0f} views, got"
            f" {budget}; give more."
        )
    made = scheduled(entry.recipe, divided, images)
    return Planned(entry.name, entry.recipe, made, views_per_image, speed)


def counts_passes(recipe: Recipe) -> bool:
    """Whether settings of the recipe's task are passes over the images, and whether their share of
    the training depends on how many images there are."""
    return recipe.train.images_per_epoch is None and _has_epochs(recipe.task)


def scheduled(recipe: Recipe, rounds: Rounds, images: int | None = None) -> Recipe:
    """A recipe of another length, in which numbers of epochs keep their share of the training.

    Those of the schedule are epochs of `fit`, here rounds. Those of a task are passes over the
    training images, as its model counts them.

    Args:
        recipe: of any length.
        rounds: of the new one.
        images: training images; None where `counts_passes` is false.
    """
    content = recipe.model_dump(mode="json")
    train = content["train"]
    seen = rounds.count * rounds.steps * train["images_per_batch"]
    if _has_epochs(recipe.task):
        per_epoch = train["images_per_epoch"] or images
        assert per_epoch is not None
        content["task"] = _scaled_task(recipe.task, seen / (train["epochs"] * per_epoch))
    train["schedule"] = _scaled(train["schedule"], rounds.count / train["epochs"])
    train["epochs"] = rounds.count
    train["images_per_epoch"] = rounds.steps * train["images_per_batch"]
    return recipes.validate(content, "the recipe of this budget")


def _has_epochs(section: Any) -> bool:
    task = pretext.of_section(section)
    return any(_is_epochs(*each) for part in _parts(task) for each in part.items())


def _scaled_task(section: Any, share: float) -> dict[str, Any]:
    """The section of a task whose passes over the images are multiplied by the share."""
    own, *base = (_scaled(each, share) for each in _parts(pretext.of_section(section)))
    if base:
        # Its defaults too: one that is not written would stay as long as it is.
        own["base_settings"] = base[0]
    return {"name": section.name, **own}


def _parts(task: Any) -> list[dict[str, Any]]:
    """The settings of a task, and those of the task it is made of, as E-SSL is, where they have
    epochs."""
    base = task.task.get_config() if hasattr(task, "base_settings") else {}
    found = [task.get_config()]
    return [*found, base] if any(_is_epochs(*each) for each in base.items()) else found


def _is_epochs(key: str, value: Any) -> bool:
    return key.endswith("_epochs") and value is not None


def _scaled(settings: dict[str, Any], share: float) -> dict[str, Any]:
    return {
        key: _times(value, share) if _is_epochs(key, value) else value
        for key, value in settings.items()
    }


def _times(value: Any, share: float) -> Any:
    return [each * share for each in value] if isinstance(value, list) else value * share


def first_difference(old: Any, new: Any, path: str = "") -> tuple[str, Any, Any] | None:
    """(key path, old, new) of the first value that differs; None for the same."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in {**old, **new}:
            inside = f"{path}.{key}" if path else str(key)
            if found := first_difference(old.get(key), new.get(key), inside):
                return found
        return None
    return None if old == new else (path, old, new)


def _content(entry: Planned) -> dict[str, Any]:
    return {
        "base": entry.base.model_dump(mode="json"),
        "recipe": entry.recipe.model_dump(mode="json"),
        "views_per_image": entry.views_per_image,
        "views": entry.views,
        "measured": asdict(entry.speed) if entry.speed else None,
    }


def _entry(name: str, content: dict[str, Any], path: Path) -> Planned:
    speed = content["measured"]
    base, recipe = (recipes.validate(content[key], str(path)) for key in ("base", "recipe"))
    return Planned(
        name, base, recipe, content["views_per_image"], Speed(**speed) if speed else None
    )


def _other(folder: Path, key: str, there: Any, here: Any) -> UserError:
    return UserError(
        f"{folder} holds another comparison: its {key} is {there!r}, and now it is {here!r}. Repeat"
        " its own command, give another --folder, or delete it with --overwrite."
    )
