"""Whether rotation is a fit pretext task for some images, and whether there is a way around
learning it, or another task."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rotkeras.audit.examine import audit
    from rotkeras.audit.page import write
    from rotkeras.audit.questions import Question, task_shortcuts
    from rotkeras.audit.report import Finding, Folder, Report
    from rotkeras.audit.shortcuts import ShortcutResult, shortcut_test

__all__ = [
    "Finding",
    "Folder",
    "Question",
    "Report",
    "ShortcutResult",
    "audit",
    "shortcut_test",
    "task_shortcuts",
    "write",
]

_HOMES = {
    "Finding": "report",
    "Folder": "report",
    "Question": "questions",
    "Report": "report",
    "ShortcutResult": "shortcuts",
    "audit": "examine",
    "shortcut_test": "shortcuts",
    "task_shortcuts": "questions",
    "write": "page",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"rotkeras.audit.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'rotkeras.audit' has no attribute {name!r}")
