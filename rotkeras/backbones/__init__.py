"""Backbones: functional Keras models of stock layers, with named taps."""

from rotkeras.backbones.fused_batch_norm import fuse_batch_norm
from rotkeras.backbones.nin import nin

__all__ = ["fuse_batch_norm", "nin"]

NAMES = {"nin": nin}
"""Backbones by the name that a recipe uses."""
