"""What runs on a device: exported TFLite files with NumPy, Pillow and ai-edge-litert, without
TensorFlow or Keras."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rotkeras.device.benchmark import measure_latency
    from rotkeras.device.boxes import Detections
    from rotkeras.device.classifier import Classifier
    from rotkeras.device.detector import Detector
    from rotkeras.device.encoder import Encoder
    from rotkeras.device.golden import GoldenCheck, check_golden
    from rotkeras.device.learner import Learner
    from rotkeras.device.orienter import Orienter
    from rotkeras.device.segmenter import Segmenter
    from rotkeras.device.tflite_file import TFLiteFile

__all__ = [
    "Classifier",
    "Detections",
    "Detector",
    "Encoder",
    "GoldenCheck",
    "Learner",
    "Orienter",
    "Segmenter",
    "TFLiteFile",
    "check_golden",
    "measure_latency",
]

_HOMES = {
    "Classifier": "classifier",
    "Detections": "boxes",
    "Detector": "detector",
    "Encoder": "encoder",
    "GoldenCheck": "golden",
    "Learner": "learner",
    "Orienter": "orienter",
    "Segmenter": "segmenter",
    "TFLiteFile": "tflite_file",
    "check_golden": "golden",
    "measure_latency": "benchmark",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"rotkeras.device.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'rotkeras.device' has no attribute {name!r}")


def __dir__() -> list[str]:
    return list(__all__)
