"""Transfer: fine-tuning an encoder to a classifier, a detector or a segmenter.

The public names below are imported when they are first used.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rotkeras.transfer.classify.model import classifier
    from rotkeras.transfer.detect.model import detector, flat_detector
    from rotkeras.transfer.detect.read import read_boxes
    from rotkeras.transfer.faults import Faults
    from rotkeras.transfer.run import run_fine_tuning
    from rotkeras.transfer.segment.model import segmenter
    from rotkeras.transfer.segment.read import read_masks
    from rotkeras.transfer.settings import FineTuning, load_recipe

__all__ = [
    "Faults",
    "FineTuning",
    "classifier",
    "detector",
    "flat_detector",
    "load_recipe",
    "read_boxes",
    "read_masks",
    "run_fine_tuning",
    "segmenter",
]

_HOMES = {
    "Faults": "faults",
    "FineTuning": "settings",
    "classifier": "classify.model",
    "detector": "detect.model",
    "flat_detector": "detect.model",
    "load_recipe": "settings",
    "read_boxes": "detect.read",
    "read_masks": "segment.read",
    "run_fine_tuning": "run",
    "segmenter": "segment.model",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"rotkeras.transfer.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'rotkeras.transfer' has no attribute {name!r}")
