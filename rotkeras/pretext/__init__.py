"""Pretext tasks: what a network learns from images without labels."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rotkeras.pretext.base import PretextTask
    from rotkeras.pretext.in_step import InStep
    from rotkeras.pretext.rotation import Rotation

    NAMES: dict[str, Any]

__all__ = ["InStep", "PretextTask", "Rotation"]

_HOMES = {"InStep": "in_step", "PretextTask": "base", "Rotation": "rotation"}
_TASKS = {"rotation": "Rotation"}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"rotkeras.pretext.{_HOMES[name]}"), name)
    if name == "NAMES":  # tasks by the name that a recipe uses
        globals()["NAMES"] = {task: __getattr__(each) for task, each in _TASKS.items()}
        return globals()["NAMES"]
    raise AttributeError(f"module 'rotkeras.pretext' has no attribute {name!r}")
