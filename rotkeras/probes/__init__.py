"""Probes: simple classifiers that measure how good features are."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rotkeras.probes.features import PooledFeatures, extract
    from rotkeras.probes.fits import FittedProbe, fit
    from rotkeras.probes.knn_probe import KnnProbe, knn
    from rotkeras.probes.linear import LinearProbe, logistic, ridge
    from rotkeras.probes.settings import Settings

__all__ = [
    "FittedProbe",
    "KnnProbe",
    "LinearProbe",
    "PooledFeatures",
    "Settings",
    "extract",
    "fit",
    "knn",
    "logistic",
    "ridge",
]

_HOMES = {
    "FittedProbe": "fits",
    "LinearProbe": "linear",
    "PooledFeatures": "features",
    "Settings": "settings",
    "extract": "features",
    "fit": "fits",
    "KnnProbe": "knn_probe",
    "knn": "knn_probe",
    "logistic": "linear",
    "ridge": "linear",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"rotkeras.probes.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'rotkeras.probes' has no attribute {name!r}")
