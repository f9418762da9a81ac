"""Whether rotation is a fit pretext task for some images, and whether there is a way around
learning it."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rotkeras.audit.examine import audit
    from rotkeras.audit.page import write
    from rotkeras.audit.report import Finding, Folder, Report
    from rotkeras.audit.shortcuts import ShortcutResult, shortcut_test

__all__ = ["Finding", "Folder", "Report", "ShortcutResult", "audit", "shortcut_test", "write"]

_HOMES = {
    "Finding": "report",
    "Folder": "report",
    "Report": "report",
    "ShortcutResult": "shortcuts",
    "audit": "examine",
    "shortcut_test": "shortcuts",
    "write": "page",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"rotkeras.audit.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'rotkeras.audit' has no attribute {name!r}")
