"""Files that are written whole or not at all, and by one process at a time."""

import contextlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from rotkeras.errors import UserError


def write_whole(path: Path, write: Callable[[Path], Any]) -> None:
    """Let `write` make a file beside `path`, then put it in place in one step; a kill leaves the
    old file or the new one.

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


def read_json(path: Path) -> Any:
    """The content of a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def read_json_lines(path: Path) -> list[dict[str, Any]]:
    """The objects of a file of JSON lines."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def as_text(name: str) -> str:
    """A file name as text that can be written: bytes that are no UTF-8 become `\\xff`."""
    try:
        name.encode()
        return name
    except UnicodeEncodeError:
        return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


@contextlib.contextmanager
def one_writer(path: Path) -> Iterator[None]:
    """Hold a file, or a folder, for this process while it is read, added to and written; a kill
    lets it go.

    Args:
        path: what is held; the folder it lies in is there.

    Raises:
        UserError: when another process holds it.
    """
    try:
        import fcntl
    except ImportError:  # not on Windows
        yield
        return
    lock = path.with_name(f".{path.name}.lock")
    while True:
        with open(lock, "w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise UserError(
                    f"{path} is being written by another process: expected one at a time; wait for"
                    " its end."
                ) from None
            # The one before may have taken the file away between our opening and our locking it:
            # then nothing is held.
            if not lock.exists() or os.fstat(file.fileno()).st_ino != lock.stat().st_ino:
                continue
            try:
                yield
            finally:
                lock.unlink(missing_ok=True)
            return
