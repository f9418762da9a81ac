"""Callbacks that fit into any `model.fit`."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rotkeras.callbacks.attention_maps import AttentionMaps
    from rotkeras.callbacks.encoder_checkpoint import EncoderCheckpoint
    from rotkeras.callbacks.in_one_process import InOneProcess
    from rotkeras.callbacks.metrics_log import MetricsLog
    from rotkeras.callbacks.probe_accuracy import ProbeAccuracy
    from rotkeras.callbacks.progress import Progress
    from rotkeras.callbacks.run_checkpoint import RunCheckpoint
    from rotkeras.callbacks.stop_on_bad_loss import StopOnBadLoss
    from rotkeras.callbacks.throughput import Throughput

__all__ = [
    "AttentionMaps",
    "EncoderCheckpoint",
    "InOneProcess",
    "MetricsLog",
    "ProbeAccuracy",
    "Progress",
    "RunCheckpoint",
    "StopOnBadLoss",
    "Throughput",
]

_HOMES = {
    "AttentionMaps": "attention_maps",
    "EncoderCheckpoint": "encoder_checkpoint",
    "InOneProcess": "in_one_process",
    "MetricsLog": "metrics_log",
    "ProbeAccuracy": "probe_accuracy",
    "Progress": "progress",
    "RunCheckpoint": "run_checkpoint",
    "StopOnBadLoss": "stop_on_bad_loss",
    "Throughput": "throughput",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"rotkeras.callbacks.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'rotkeras.callbacks' has no attribute {name!r}")
