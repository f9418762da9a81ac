"""Callbacks that fit into any `model.fit`."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rotkeras.training.callbacks.attention_maps import AttentionMaps
    from rotkeras.training.callbacks.averaged_weights import AveragedWeights
    from rotkeras.training.callbacks.embedding_spread import EmbeddingSpread
    from rotkeras.training.callbacks.encoder_checkpoint import EncoderCheckpoint
    from rotkeras.training.callbacks.in_one_process import InOneProcess
    from rotkeras.training.callbacks.label_free_quality import LabelFreeQuality
    from rotkeras.training.callbacks.metrics_log import MetricsLog
    from rotkeras.training.callbacks.probe_accuracy import ProbeAccuracy
    from rotkeras.training.callbacks.progress import Progress
    from rotkeras.training.callbacks.replaced_images import ReplacedImages
    from rotkeras.training.callbacks.run_checkpoint import RunCheckpoint
    from rotkeras.training.callbacks.stop_on_bad_loss import StopOnBadLoss
    from rotkeras.training.callbacks.throughput import Throughput

__all__ = [
    "AttentionMaps",
    "AveragedWeights",
    "EmbeddingSpread",
    "EncoderCheckpoint",
    "InOneProcess",
    "LabelFreeQuality",
    "MetricsLog",
    "ProbeAccuracy",
    "Progress",
    "ReplacedImages",
    "RunCheckpoint",
    "StopOnBadLoss",
    "Throughput",
]

_HOMES = {
    "AttentionMaps": "attention_maps",
    "AveragedWeights": "averaged_weights",
    "EmbeddingSpread": "embedding_spread",
    "EncoderCheckpoint": "encoder_checkpoint",
    "InOneProcess": "in_one_process",
    "LabelFreeQuality": "label_free_quality",
    "MetricsLog": "metrics_log",
    "ProbeAccuracy": "probe_accuracy",
    "Progress": "progress",
    "RunCheckpoint": "run_checkpoint",
    "ReplacedImages": "replaced_images",
    "StopOnBadLoss": "stop_on_bad_loss",
    "Throughput": "throughput",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"rotkeras.training.callbacks.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'rotkeras.training.callbacks' has no attribute {name!r}")
