"""Training a recipe: the objects it describes, devices and hosts, and callbacks."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rotkeras.run.folder import Run
    from rotkeras.training.trainer import train

__all__ = ["Run", "train"]

_HOMES = {"Run": "rotkeras.run.folder", "train": "rotkeras.training.trainer"}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'rotkeras.training' has no attribute {name!r}")
