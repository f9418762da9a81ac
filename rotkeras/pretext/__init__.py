"""Pretext tasks: what a network learns from images without labels."""

from rotkeras.pretext.base import PretextTask
from rotkeras.pretext.in_step import InStep
from rotkeras.pretext.rotation import Rotation

__all__ = ["InStep", "PretextTask", "Rotation"]

NAMES = {"rotation": Rotation}
"""Tasks by the name that a recipe uses."""
