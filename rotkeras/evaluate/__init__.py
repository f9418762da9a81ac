"""How good the features of a run are, under an honest protocol: validation chooses, test is read
once."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rotkeras.evaluate.evaluation import evaluate
    from rotkeras.evaluate.options import Options
    from rotkeras.evaluate.without_labels import evaluate_without_labels

__all__ = ["Options", "evaluate", "evaluate_without_labels"]

_HOMES = {
    "Options": "options",
    "evaluate": "evaluation",
    "evaluate_without_labels": "without_labels",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"rotkeras.evaluate.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'rotkeras.evaluate' has no attribute {name!r}")
