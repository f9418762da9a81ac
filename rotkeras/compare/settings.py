"""What to compare. Nothing here imports TensorFlow: a mistake is answered at once."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from rotkeras.arguments.accepted import AnyPath, Positive, Text
from rotkeras.arguments.checked import checked
from rotkeras.compare.budget import parse
from rotkeras.errors import UserError


@checked
@dataclass(frozen=True)
class Settings:
    """What to compare.

    Attributes:
        tasks: names of pretext tasks, which have the settings of their built-in recipe, or paths of
            recipes; "all" is every task that has a built-in recipe.
        data: the images, as `rotkeras.data.load` takes them by a path or name; None for those of
            the recipes, which must be the same.
        data_dir: where tensorflow-datasets keeps prepared sets.
        backbone: of all runs: a name that recipes use, "keras_applications:MobileNetV3Small" or
            "keras_file:mine.keras"; None for that of the recipes, which must be the same.
        backbones: several, to compare them for one task.
        budget: of each run: "10min", "2h", "2e6views" or "5epochs". Minutes count training alone.
        seeds: how many runs of each task; seeds 0, 1, …
        rounds: parts of a run; the features are probed after each.
        overrides: "key.path=value" for every recipe, "NAME:key.path=value" for one of them.

    Raises:
        UserError: for a budget or a combination that does not exist.
    """

    tasks: Annotated[tuple[Text, ...], Field(min_length=1)]
    data: AnyPath | None = None
    data_dir: AnyPath | None = None
    backbone: Text | None = None
    backbones: tuple[Text, ...] = ()
    budget: Text = "10min"
    seeds: Positive = 3
    rounds: Positive = 5
    overrides: tuple[Text, ...] = ()

    def __post_init__(self) -> None:
        parse(self.budget)
        if self.backbones and self.backbone is not None:
            raise UserError(
                "backbone is of all runs, and backbones are compared with each other; give one of"
                " the two."
            )
        if self.backbones and (len(self.tasks) > 1 or self.tasks == ("all",)):
            raise UserError(
                f"backbones are compared for one task, got {', '.join(self.tasks)}; give one task."
            )
