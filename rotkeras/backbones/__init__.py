"""Backbones: functional Keras models of stock layers, with named taps."""

from rotkeras.backbones.nin import nin

__all__ = ["nin"]

NAMES = {"nin": nin}
"""Backbones by the name that a recipe uses."""
