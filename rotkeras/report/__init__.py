"""The page of a run, or of several side by side: one HTML file that needs nothing else."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rotkeras.report.page import write_report

__all__ = ["write_report"]

_HOMES = {"write_report": "page"}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"rotkeras.report.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'rotkeras.report' has no attribute {name!r}")
