"""The jobs of `worker`, each in a process of its own: it has a peak memory of its own, and its
failure ends nothing else."""

import contextlib
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rotkeras.benchmark.new_process import lines
from rotkeras.compare.plan import Speed
from rotkeras.files import temporary_folder
from rotkeras.recipe import Recipe

Hear = Callable[[dict[str, Any]], None]


def look(recipe: Recipe, seconds: float, name: str) -> tuple[int, Speed | None]:
    """(number of training images, speed); no speed where it is measured for 0 seconds.

    Raises:
        UserError: the one that the process ended with, or that says how it ended.
    """
    images, speed = 0, None

    def hear(line: dict[str, Any]) -> None:
        nonlocal images, speed
        images = line.get("images", images)
        speed = Speed(**line["measured"]) if "measured" in line else speed

    _work({"job": "look", "seconds": seconds}, recipe, name, hear)
    return images, speed


def train(recipe: Recipe, folder: Path, untrained: bool, hear: Hear) -> None:
    """Train and evaluate a run; `hear` gets what `worker.train` says.

    Raises:
        UserError: the one that the process ended with, or that says how it ended.
    """
    wanted = {"job": "train", "folder": str(folder), "untrained": untrained}
    _work(wanted, recipe, recipe.name, hear)


def _work(wanted: dict[str, Any], recipe: Recipe, name: str, hear: Hear) -> None:
    with temporary_folder() as folder:
        request = folder / "request.json"
        content = {**wanted, "recipe": recipe.model_dump(mode="json")}
        request.write_text(json.dumps(content), encoding="utf-8")
        # -P: a file numpy.py in the folder one happens to be in is not NumPy. The package is found
        # where this one was.
        command = [sys.executable, "-P", "-m", "rotkeras.compare.worker", str(request)]
        paths = os.pathsep.join(
            filter(None, (str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH")))
        )
        # Closed at once, and not when an error that holds it is forgotten: that ends the process.
        with contextlib.closing(lines(command, {"PYTHONPATH": paths}, name)) as said:
            for line in said:
                hear(line)
