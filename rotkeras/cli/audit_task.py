"""The task that `rotkeras audit --task` names."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rotkeras.data.crops import Crops
from rotkeras.errors import UserError


@dataclass(frozen=True)
class NamedTask:
    """A task, and what comes before it in its recipe.

    Attributes:
        name: as it was given.
        task: the pretext task.
        augmentation: of the recipe.
        image_size: of the recipe's images; None where it does not say.
        crops: that the recipe makes of photographs, its `data.crops`; None where it makes none.
    """

    name: str
    task: Any
    augmentation: tuple[Any, ...]
    image_size: int | None
    crops: Crops | None = None


def named_task(name: str, overrides: Sequence[str]) -> NamedTask:
    """The task of a recipe (a file, or the name of a built-in one), or by its own name with its
    default settings.

    Args:
        name: of a recipe or a task.
        overrides: each "key.path=value" of a recipe.

    Raises:
        UserError: for a name of neither, wrong settings, images that are not square, and a task
            without `shortcut_views`.
    """
    from rotkeras import pretext
    from rotkeras import recipe as recipes
    from rotkeras.audit.questions import check_has_views
    from rotkeras.recipe.files import apply_override, shipped
    from rotkeras.recipe.models import TASKS
    from rotkeras.training.build import build_augmentation

    if name in TASKS and name not in shipped():
        content: dict[str, Any] = {"task": {"name": name}, "data": {"embedded": "digits"}}
        for number, override in enumerate(overrides):
            apply_override(content, override, overrides[:number])
        keys = [override.partition("=")[0].strip() for override in overrides]
        recipe = recipes.validate(content, f"task {name}", keys)
    else:
        recipe = recipes.load(name, overrides)
    size: Any = recipe.data.image_size
    if not isinstance(size, int | None):
        raise UserError(
            f"data.image_size must be one number for an audit, got {list(size)}; audits see"
            " squares: set it with --set data.image_size=SIZE."
        )
    task = pretext.of_section(recipe.task)
    check_has_views(task)
    section = recipe.data.crops
    crops = None if section is None else Crops(**section.model_dump())
    return NamedTask(name, task, tuple(build_augmentation(recipe)), size, crops)
