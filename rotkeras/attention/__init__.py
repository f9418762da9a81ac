"""What a network looks at: activation attention, its equivariance, class activation maps,
filters."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rotkeras.attention.activation import activation_maps
    from rotkeras.attention.class_activation import METHODS, class_activation_maps
    from rotkeras.attention.equivariance import (
        equivariance_score,
        mean_correlation,
        quadruple_maps,
        quadruples,
    )
    from rotkeras.attention.filters import FilterVariety, filter_grid, filter_variety, first_filters
    from rotkeras.attention.grids import attention_grid, overlay
    from rotkeras.attention.maximisation import maximise

__all__ = [
    "METHODS",
    "FilterVariety",
    "activation_maps",
    "attention_grid",
    "class_activation_maps",
    "equivariance_score",
    "filter_grid",
    "filter_variety",
    "first_filters",
    "maximise",
    "mean_correlation",
    "overlay",
    "quadruple_maps",
    "quadruples",
]

_HOMES = {
    "METHODS": "class_activation",
    "FilterVariety": "filters",
    "activation_maps": "activation",
    "attention_grid": "grids",
    "class_activation_maps": "class_activation",
    "equivariance_score": "equivariance",
    "filter_grid": "filters",
    "filter_variety": "filters",
    "first_filters": "filters",
    "maximise": "maximisation",
    "mean_correlation": "equivariance",
    "overlay": "grids",
    "quadruple_maps": "equivariance",
    "quadruples": "equivariance",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"rotkeras.attention.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'rotkeras.attention' has no attribute {name!r}")
