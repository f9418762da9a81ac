"""Backbones: functional Keras models of stock layers, with named taps."""

import importlib
from typing import TYPE_CHECKING, Any

from rotkeras.backbones.alexnet import alexnet
from rotkeras.backbones.keras_networks import keras_applications, keras_file
from rotkeras.backbones.nin import nin
from rotkeras.backbones.resnet import resnet
from rotkeras.backbones.revnet import revnet50
from rotkeras.backbones.vgg import vgg19_bn

if TYPE_CHECKING:
    from rotkeras.backbones.any_model import from_model
    from rotkeras.backbones.fused_batch_norm import fuse_batch_norm
    from rotkeras.backbones.input_shape import with_input_shape
    from rotkeras.backbones.quantization_aware import round_to_int8

__all__ = [
    "alexnet",
    "from_model",
    "fuse_batch_norm",
    "keras_applications",
    "keras_file",
    "nin",
    "resnet",
    "revnet50",
    "round_to_int8",
    "vgg19_bn",
    "with_input_shape",
]

NAMES: dict[str, Any] = {
    "nin": nin,
    "alexnet": alexnet,
    "resnet": resnet,
    "revnet50": revnet50,
    "vgg19_bn": vgg19_bn,
    "keras_applications": keras_applications,
    "keras_file": keras_file,
}
"""Backbones by the name that a recipe uses. Their modules import Keras when they build, not when
they are imported: recipes are read without it."""

NOT_IN_RECIPES = ("input_shape", "mean", "standard_deviation", "synchronized_batch_norm")
"""Arguments of a backbone that a recipe does not set: they follow from its other sections."""

_HOMES = {
    "from_model": "any_model",
    "fuse_batch_norm": "fused_batch_norm",
    "round_to_int8": "quantization_aware",
    "with_input_shape": "input_shape",
}


def has_weights(section: Any) -> bool:
    """Whether a section `backbone` of a recipe names weights that training starts from."""
    return getattr(section, "weights", None) not in (None, "new")


def summary(section: Any) -> str:
    """A section `backbone` in words: its name and the settings that differ from the defaults, such
    as "nin: blocks 4, width 0.25"."""
    fields = type(section).model_fields
    said = [
        f"{key} {value:g}" if isinstance(value, float) else f"{key} {value}"
        for key, value in section.model_dump(exclude={"name"}).items()
        if fields[key].is_required() or value != fields[key].get_default()
    ]
    return f"{section.name}: {', '.join(said)}" if said else str(section.name)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"rotkeras.backbones.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'rotkeras.backbones' has no attribute {name!r}")
