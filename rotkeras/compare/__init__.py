"""Several pretext tasks, or backbones, on the same images and budget, evaluated by one protocol."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rotkeras.compare.run import compare
    from rotkeras.compare.settings import Settings

__all__ = ["Settings", "compare"]

_HOMES = {"Settings": "settings", "compare": "run"}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"rotkeras.compare.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'rotkeras.compare' has no attribute {name!r}")
