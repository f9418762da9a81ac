"""Where a fine-tuning may be written, and what it is known by; without importing Keras."""

import json
from pathlib import Path
from typing import Any

from rotkeras.errors import UserError
from rotkeras.files import check_writable

TASKS = ("classify", "detect", "segment")


def is_fine_tuning(folder: Path) -> bool:
    """Whether a folder is one that `rotkeras finetune` wrote."""
    return _content(folder / "summary.json").get("task") in TASKS


def check_folder(folder: Path, overwrite: bool) -> Path:
    """A folder that a fine-tuning may be written to; a `UserError` for another."""
    target = check_writable(folder, "The folder", folder=True)
    if target.exists():
        kind = is_fine_tuning(target)
        if any(target.iterdir()) and not (kind and overwrite):
            how = "Add --overwrite, or give" if kind else "It holds other files: give"
            raise UserError(f"{target} exists already. {how} another folder with -o.")
    return target


def _content(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
