"""Pretext tasks: what a network learns from images without labels."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rotkeras.pretext.base import Monitor, PretextTask
    from rotkeras.pretext.in_step import InStep
    from rotkeras.pretext.rotation import Rotation
    from rotkeras.pretext.simclr import SimCLR

    NAMES: dict[str, Any]

__all__ = ["InStep", "Monitor", "PretextTask", "Rotation", "SimCLR"]

_HOMES = {
    "InStep": "in_step",
    "Monitor": "base",
    "PretextTask": "base",
    "Rotation": "rotation",
    "SimCLR": "simclr",
}
_TASKS = {"rotation": "Rotation", "simclr": "SimCLR"}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"rotkeras.pretext.{_HOMES[name]}"), name)
    if name == "NAMES":  # tasks by the name that a recipe uses
        globals()["NAMES"] = {task: __getattr__(each) for task, each in _TASKS.items()}
        return globals()["NAMES"]
    raise AttributeError(f"module 'rotkeras.pretext' has no attribute {name!r}")


def angles_of(task: "PretextTask") -> tuple[int, ...]:
    """The angles, in degrees, that a task's network predicts; () if its classes are no angles."""
    names = task.class_names or ()
    degrees = [name.removesuffix("°") for name in names if name.endswith("°")]
    return tuple(map(int, degrees)) if len(degrees) == len(names) else ()


def of_section(section: Any) -> "PretextTask":
    """The task of a section `task` of a recipe."""
    tasks: dict[str, Any] = __getattr__("NAMES")
    task: PretextTask = tasks[section.name](**section.model_dump(exclude={"name"}))
    return task
