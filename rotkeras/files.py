"""Files that are written whole or not at all, and by one process at a time."""

import contextlib
import errno
import json
import os
import re
import stat
import tempfile
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
    """Write indented JSON whole or not at all. A byte of a file name that is not UTF-8, in Python a
    surrogate, is written as `\\udcff` and read back as the same byte."""
    text = json.dumps(content, indent=2, ensure_ascii=False)
    text = re.sub("[\ud800-\udfff]", lambda found: f"\\u{ord(found[0]):04x}", text)
    write_text(path, text + "\n")


def read_json(path: Path) -> Any:
    """The content of a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def read_json_lines(path: Path) -> list[dict[str, Any]]:
    """The objects of a file of JSON lines."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def expanded(path: str | os.PathLike[str]) -> Path:
    """A path as it is given, with `~` and `~/…` as the home folder. Other names that begin with
    `~` are kept: they may be files, as is `./~`."""
    text = os.fspath(path)
    if text.startswith("./~"):
        return Path(text).absolute()  # Path("./~") is Path("~"), which would be expanded later
    home = text[:1] == "~" and text[1:2] in ("", "/", os.sep)
    return Path(text).expanduser() if home else Path(text)


@contextlib.contextmanager
def without_pattern(path: Path) -> Iterator[Path]:
    """A path to the same folder that has no `[`, `]`, `*`, `?` or backslash, which TensorFlow takes
    for a pattern when it loads a SavedModel: the path itself, or a link for as long as the context
    lasts."""
    if not set("[]*?\\") & set(str(path)):
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        link = Path(folder) / "link"
        link.symlink_to(path.absolute())
        yield link


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


_KINDS = (
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISDIR, "a folder"),
)


def what_else(path: str | os.PathLike[str]) -> str:
    """What a path is if it is no regular file: "a named pipe", "a folder", "a link to nothing", "a
    link that leads to itself"; "" for a regular file, and for a path that does not exist.

    Nothing is opened: opening a named pipe waits until somebody writes to it.
    """
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116, a path object takes as long again
    except OSError as error:
        if error.errno == errno.ELOOP:
            return "a link that leads to itself"
        return "a link to nothing" if os.path.islink(path) else ""  # noqa: PTH114
    if stat.S_ISREG(mode):
        return ""
    return next((words for test, words in _KINDS if test(mode)), "neither a file nor a folder")


def check_regular(path: str | os.PathLike[str]) -> None:
    """Raise a `UserError` for a path that exists and is neither a regular file nor a folder."""
    what = what_else(path)
    if what and what != "a folder":
        raise UserError(f"{os.fspath(path)!r} is {what}; give a file or a folder.")
