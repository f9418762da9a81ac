"""The recipe of each pre-training of a table. Nothing here imports TensorFlow: a mistake is
answered at once."""

from collections.abc import Sequence

from rotkeras import recipe as recipes
from rotkeras.errors import UserError
from rotkeras.recipe import Recipe
from rotkeras.reproduce.paper import Network
from rotkeras.reproduce.scale import Scale

FREE = (
    "train.xla",
    "train.deterministic",
    "train.precision",
    "train.devices",
    "train.steps_per_execution",
    "train.placement",
    "probe.",
    "data.data_dir",
    "data.cache",
    "data.arrays",
)
"""Keys of a recipe that may differ without making another experiment of it; arrays, when they hold
the same images."""


def build_recipe(
    base: str,
    network: Network,
    scale: Scale,
    seed: int,
    overrides: Sequence[str],
    data_dir: str | None,
) -> Recipe:
    """The recipe of one pre-training of a table.

    Raises:
        UserError: for an override of what the table or the scale sets.
    """
    full = recipes.load(base, overrides, data_dir)
    own = [*scale.overrides(full), *network.overrides, f"train.seed={seed}"]
    taken = {each.partition("=")[0] for each in own} | {
        "train.seed",
        "backbone.blocks",
        "task.angles",
    }
    for override in overrides:
        key = override.partition("=")[0].strip()
        if key in taken:
            raise UserError(
                f"--set {override}: {key} is what the table, --seeds or --scale sets; leave it out."
            )
    mine = [*overrides, *own]
    if network.name == "nin4-curve":
        epochs = recipes.load(base, mine, data_dir).train.epochs
        mine.append(f"probe.every_epochs={max(1, epochs // 20)}")
    return recipes.load(base, mine, data_dir)


def departures(overrides: Sequence[str]) -> list[str]:
    """The overrides that make another experiment of a table, which is then not conclusive."""
    return [each for each in overrides if not each.strip().startswith(FREE)]
