"""Image sources and the pipelines that turn them into batches of views."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rotkeras.data import augmentation
    from rotkeras.data.crops import Crops
    from rotkeras.data.epochs import Pipeline
    from rotkeras.data.interpret import load
    from rotkeras.data.pipelines import evaluation_pipeline, pipeline
    from rotkeras.data.source import BadImage, Images, Source, split

__all__ = [
    "BadImage",
    "Crops",
    "Images",
    "Pipeline",
    "Source",
    "augmentation",
    "evaluation_pipeline",
    "load",
    "pipeline",
    "split",
]

_HOMES = {
    "load": "interpret",
    "pipeline": "pipelines",
    "evaluation_pipeline": "pipelines",
    "Pipeline": "epochs",
    "BadImage": "source",
    "Crops": "crops",
    "Images": "source",
    "Source": "source",
    "split": "source",
}


def __getattr__(name: str) -> Any:
    if name == "augmentation":
        return importlib.import_module("rotkeras.data.augmentation")
    if name in _HOMES:
        return getattr(importlib.import_module(f"rotkeras.data.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'rotkeras.data' has no attribute {name!r}")
