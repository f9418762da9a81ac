"""The jobs of `worker`, each in a process of its own: it has a peak memory of its own, and its
failure ends nothing else."""

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rotkeras.compare.plan import Speed
from rotkeras.new_process import run_module
from rotkeras.recipe import Recipe

Hear = Callable[[dict[str, Any]], None]


def measure(recipe: Recipe, seconds: float, name: str) -> tuple[int, Speed | None]:
    """(number of training images, speed); no speed where it is measured for 0 seconds.

    Raises:
        UserError: the one that the process ended with, or that says how it ended.
    """
    images, speed = 0, None

    def hear(line: dict[str, Any]) -> None:
        nonlocal images, speed
        images = line.get("images", images)
        speed = Speed(**line["measured"]) if "measured" in line else speed

    _work({"job": "measure", "seconds": seconds}, recipe, name, hear)
    return images, speed


def train(recipe: Recipe, folder: Path, untrained: bool, hear: Hear) -> None:
    """Train and evaluate a run; `hear` gets what `worker.train` says.

    Raises:
        UserError: the one that the process ended with, or that says how it ended.
    """
    wanted = {"job": "train", "folder": str(folder), "untrained": untrained}
    _work(wanted, recipe, recipe.name, hear)


def _work(wanted: dict[str, Any], recipe: Recipe, name: str, hear: Hear) -> None:
    content = {**wanted, "recipe": recipe.model_dump(mode="json")}
    with contextlib.closing(run_module("rotkeras.compare.worker", content, name)) as said:
        for line in said:
            hear(line)
