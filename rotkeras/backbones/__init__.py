"""Backbones: functional Keras models of stock layers, with named taps."""

import importlib
from typing import TYPE_CHECKING, Any

from rotkeras.backbones.nin import nin

if TYPE_CHECKING:
    from rotkeras.backbones.fused_batch_norm import fuse_batch_norm
    from rotkeras.backbones.input_shape import with_input_shape

__all__ = ["fuse_batch_norm", "nin", "with_input_shape"]

NAMES: dict[str, Any] = {"nin": nin}
"""Backbones by the name that a recipe uses. Their modules import Keras when they build, not when
they are imported: recipes are read without it."""

NOT_IN_RECIPES = ("input_shape", "mean", "standard_deviation", "synchronized_batch_norm")
"""Arguments of a backbone that a recipe does not set: they follow from its other sections."""

_HOMES = {"fuse_batch_norm": "fused_batch_norm", "with_input_shape": "input_shape"}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"rotkeras.backbones.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'rotkeras.backbones' has no attribute {name!r}")
