"""Probes: how good features are, told by simple classifiers on them."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rotkeras.probes.features import extract
    from rotkeras.probes.knn import knn_accuracy
    from rotkeras.probes.linear import LinearProbe, logistic, ridge

__all__ = ["LinearProbe", "extract", "knn_accuracy", "logistic", "ridge"]

_HOMES = {"extract": "features", "knn_accuracy": "knn", "LinearProbe": "linear", "logistic": "linear", "ridge": "linear"}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"rotkeras.probes.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'rotkeras.probes' has no attribute {name!r}")
