"""Files that are written whole or not at all."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any


def write_whole(path: Path, write: Callable[[Path], Any]) -> None:
    """Let `write` make a file beside `path`, then put it in place in one step; a kill leaves the old file or the new one.

    Args:
        path: where the file is to be.
        write: called with a path in the same folder that has the same suffixes.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    working = path.with_name(f".part-{os.getpid()}-{path.name}")
    try:
        write(working)
        with open(working, "rb") as file:
            os.fsync(file.fileno())
        os.replace(working, path)
    finally:
        working.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file whole or not at all."""
    write_whole(path, lambda working: working.write_text(text, encoding="utf-8"))


def write_json(path: Path, content: Any) -> None:
    """Write indented JSON whole or not at all."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")
