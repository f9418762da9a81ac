"""The recipes that are compared: what is each one's own, and what is the same for all."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rotkeras import recipe as recipes
from rotkeras.compare.settings import Settings
from rotkeras.data.interpret import interpret
from rotkeras.errors import UserError, nearest
from rotkeras.recipe import Recipe
from rotkeras.recipe.files import apply_override, find, shipped, shipped_folder
from rotkeras.recipe.images import SOURCES
from rotkeras.recipe.models import BACKBONES, TASKS
from rotkeras.recipe.read import read_mapping

OF_ROTATION = {"rotation": "cifar10-cpu"}
"""Built-in recipes of tasks that have none of their own name."""

PROBES = {
    "every_epochs": 1,
    "train_images": 10000,
    "probes": ["ridge", "knn-20"],
    "budget": "fast",
}
"""Of all runs, while they train."""

OURS = ("name", "train.epochs", "train.images_per_epoch", "train.seed")
"""Keys that follow from the budget and the seeds."""

SAME = (
    *("data", "backbone", "probe", "quality"),
    *("train.precision", "train.quantization_aware", "train.xla", "train.deterministic"),
    *("train.devices", "train.synchronized_batch_norm", "train.placement"),
    "train.steps_per_execution",
)
"""Keys that must be the same in all recipes: they change images, speed or numbers."""


@dataclass(frozen=True)
class Entry:
    """One task, or backbone, of a comparison.

    Attributes:
        name: unlike the others.
        recipe: with its own epochs; budget and seeds are put in later.
    """

    name: str
    recipe: Recipe


def recipe_of_task(name: str) -> Path | None:
    """The built-in recipe of a task; None where there is none, and for another name."""
    there = shipped()
    return there.get(OF_ROTATION.get(name, name)) if name in TASKS else None


def entries_of(settings: Settings) -> list[Entry]:
    """What a comparison consists of.

    Raises:
        UserError: for an unknown task or backbone, two entries of one name, settings that follow
            from the budget, and recipes that differ in what must be the same.
    """
    tasks = settings.tasks
    if "all" in tasks:
        if len(tasks) > 1:
            raise UserError(f"tasks must be all alone, or names, got {', '.join(tasks)}.")
        tasks = tuple(name for name in TASKS if recipe_of_task(name))
    data = _data(settings)
    named = [(_task_name(each), each, settings.backbone) for each in tasks]
    if settings.backbones:
        named = [(_backbone_name(each), tasks[0], each) for each in settings.backbones]
    names = [name for name, _, _ in named]
    for name in names:
        if names.count(name) > 1:
            raise UserError(
                f"Two of what is compared have the name {name!r}. Give recipe files of different"
                " names."
            )
    shared, own = _split_overrides(settings.overrides, names)
    made = []
    for name, task, backbone in named:
        overrides = [*shared, *own.get(name, [])]
        made.append(Entry(name, _recipe(task, data, settings.data_dir, backbone, overrides)))
    check_same(made, bool(settings.backbones))
    return made


def _recipe(
    task: str,
    data: dict[str, Any] | None,
    data_dir: Any,
    backbone: str | None,
    overrides: list[str],
) -> Recipe:
    path = recipe_of_task(task) or find(task)
    content = read_mapping(path)
    blame = f"recipe {path.stem}" if path.parent == shipped_folder() else str(path)
    own_probe = content.get("probe")
    if data is not None:
        content["data"] = dict(data)
        # What is compared is evaluated on these images, and not on others of a recipe.
        if isinstance(own_probe, dict):
            content["probe"] = {key: each for key, each in own_probe.items() if key != "data"}
    if data_dir is not None:
        content.setdefault("data", {})["data_dir"] = str(data_dir)
    content |= {"name": "compared", "attention": None, "export": None, "report": None}
    probe = content.get("probe")
    content["probe"] = {**(probe if isinstance(probe, dict) else {}), **PROBES}
    quality = content.get("quality")
    content["quality"] = {**(quality if isinstance(quality, dict) else {}), "every_epochs": 1}
    content["encoder"] = {"tap": "best"}
    if backbone is not None:
        _set_backbone(content, backbone)
    for number, override in enumerate(overrides):
        apply_override(content, override, overrides[:number])
    keys = [override.partition("=")[0].strip() for override in overrides]
    return recipes.validate(content, blame, keys)


def _data(settings: Settings) -> dict[str, Any] | None:
    """Section `data` of all recipes; None to keep their own."""
    if settings.data is None:
        return None
    kind, source = interpret(settings.data, settings.data_dir)
    return {kind: str(source)}


def _set_backbone(content: dict[str, Any], text: str) -> None:
    name, _, argument = text.partition(":")
    if name not in BACKBONES:
        raise UserError(f"There is no backbone {name!r}; {nearest(name, BACKBONES)}")
    fields = BACKBONES[name].model_fields
    required = [key for key, each in fields.items() if each.is_required() and key != "name"]
    if bool(argument) != bool(required):
        form = f"{name}:{required[0].upper()}" if required else name
        raise UserError(f"The backbone must be written {form}, got {text!r}.")
    there = content.get("backbone")
    if not isinstance(there, dict) or there.get("name", "nin") != name:
        there = {}
    content["backbone"] = {**there, "name": name, **dict.fromkeys(required[:1], argument)}


def _task_name(task: str) -> str:
    return task if recipe_of_task(task) else Path(task).stem


def _backbone_name(text: str) -> str:
    name, _, argument = text.partition(":")
    return Path(argument).stem if argument else name


def _split_overrides(
    overrides: tuple[str, ...], names: list[str]
) -> tuple[list[str], dict[str, list[str]]]:
    """(those of every recipe, those of one by its name)."""
    shared: list[str] = []
    own: dict[str, list[str]] = {}
    for override in overrides:
        head, equals, value = override.partition("=")
        name, colon, key = head.rpartition(":")
        if colon and name not in names:
            raise UserError(
                f"--set {override}: nothing that is compared has the name {name!r};"
                f" {nearest(name, names)}"
            )
        key = key.strip()
        if key in OURS:
            raise UserError(
                f"--set {override}: {key} follows from --budget, --rounds and --seeds; leave it"
                " out."
            )
        if key.removeprefix("data.") in SOURCES and key.startswith("data."):
            raise UserError(f"--set {override}: the images are those of --data; give them there.")
        (own.setdefault(name, []) if colon else shared).append(f"{key}{equals}{value}")
    return shared, own


def check_same(entries: Sequence[Entry], backbones_differ: bool, earlier: int = 0) -> None:
    """Raise a `UserError` when recipes differ in what must be the same.

    Args:
        entries: all that is compared.
        backbones_differ: whether backbones are compared for one task.
        earlier: how many of the entries, from the first on, the folder holds already.
    """
    keys = ["task.name" if backbones_differ and key == "backbone" else key for key in SAME]
    first = entries[0]
    for other in entries[1:]:
        for key in keys:
            one, two = _value(first.recipe, key), _value(other.recipe, key)
            if one != two:
                where = key
                if isinstance(one, dict) and isinstance(two, dict):
                    name = next(each for each in {**one, **two} if one.get(each) != two.get(each))
                    where, one, two = f"{key}.{name}", one.get(name), two.get(name)
                remedy = _remedy(key, where)
                if earlier:
                    remedy += ", or give another --folder"
                raise UserError(
                    f"{where} must be the same in all that is compared, but {first.name}"
                    f"{', which the folder holds,' if earlier else ''} has {one!r} and {other.name}"
                    f" has {two!r}; {remedy}."
                )


def _remedy(key: str, where: str) -> str:
    if key == "task.name":
        return "compare backbones for one task"
    if where.removeprefix("data.") in SOURCES:
        return "give one --data"
    option = {"data": "--data or ", "backbone": "--backbone or "}.get(key, "")
    return f"set it with {option}--set {where}=…"


def _value(recipe: Recipe, key: str) -> Any:
    value: Any = recipe.model_dump(mode="json")
    for each in key.split("."):
        value = value[each]
    return value
