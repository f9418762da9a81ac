"""Encoders for servers and devices: a SavedModel and TFLite files, each proven against Keras."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rotkeras.export.of_run import export_run
    from rotkeras.export.onnx import to_onnx
    from rotkeras.export.parts import Parts, parts_of
    from rotkeras.export.profiles import PROFILES, Profile
    from rotkeras.export.saved_model import to_saved_model
    from rotkeras.export.tflite import to_tflite
    from rotkeras.export.write import Exported, export

__all__ = [
    "PROFILES",
    "Exported",
    "Parts",
    "Profile",
    "export",
    "export_run",
    "parts_of",
    "to_onnx",
    "to_saved_model",
    "to_tflite",
]

_HOMES = {
    "PROFILES": "profiles",
    "Exported": "write",
    "Parts": "parts",
    "Profile": "profiles",
    "export": "write",
    "export_run": "of_run",
    "parts_of": "parts",
    "to_onnx": "onnx",
    "to_saved_model": "saved_model",
    "to_tflite": "tflite",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"rotkeras.export.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'rotkeras.export' has no attribute {name!r}")


def __dir__() -> list[str]:
    return list(__all__)
