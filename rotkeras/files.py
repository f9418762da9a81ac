"""Files that are written whole or not at all, by one process at a time, and names that can be
written anywhere."""

import contextlib
import errno
import hashlib
import json
import os
import re
import shutil
import stat
import tempfile
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from rotkeras.errors import UserError

_unfinished: set[Path] = set()


@contextlib.contextmanager
def unfinished(path: Path) -> Iterator[Path]:
    """Remove a file or folder when the block ends, and when the process is ended within it.

    Args:
        path: what is being written. It is moved to its place before the block ends.
    """
    _unfinished.add(path)
    try:
        yield path
    finally:
        _remove(path)
        _unfinished.discard(path)


@contextlib.contextmanager
def temporary_folder() -> Iterator[Path]:
    """A folder for work, outside of what the user named; removed like `unfinished` ones."""
    with unfinished(Path(tempfile.mkdtemp(prefix="rotkeras-"))) as folder:
        yield folder


def remove_unfinished() -> None:
    """Remove everything that is being written, before the process ends at once."""
    for _ in range(_TIMES):  # another thread may still write into a folder
        for path in list(_unfinished):
            _remove(path)


_TIMES = 3


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
        return
    shutil.rmtree(path, ignore_errors=True)


def beside(path: Path) -> Path:
    """A path in the same folder, with the same suffixes, for a file or folder before it is moved to
    `path`; short enough for names of any length."""
    name = path.name
    if len(os.fsencode(name)) > _LONGEST_TAIL:
        ending = "".join(path.suffixes)[-20:]
        name = hashlib.sha256(os.fsencode(name)).hexdigest()[:16] + ending
    return path.with_name(f".part-{os.getpid()}-{name}")


_LONGEST_TAIL = 200


def write_whole(path: Path, write: Callable[[Path], Any]) -> None:
    """Let `write` make a file beside `path`, then put it in place in one step; a kill leaves the
    old file or the new one.

    Args:
        path: where the file is to be.
        write: called with a path in the same folder that has the same suffixes.

    Raises:
        UserError: for a disk that becomes full.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with unfinished(beside(path)) as working:
            write(working)
            with open(working, "rb") as file:
                os.fsync(file.fileno())
            os.replace(working, path)
    except UserError:
        raise
    except Exception as error:
        if is_full(error):
            raise UserError(full_disk(path)) from error
        raise


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file whole or not at all. What UTF-8 cannot say is written with a
    backslash, so that a file name never ends a run; `as_text` is the way to write names."""
    content = text.encode("utf-8", "backslashreplace")
    write_whole(path, lambda working: working.write_bytes(content))


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
    with temporary_folder() as folder:
        link = folder / "link"
        link.symlink_to(path.absolute())
        yield link


def as_text(name: str) -> str:
    """A file name as text for a person, a table or a file; `from_text` gives the name back.

    Names of printable characters stay as they are, in every script. A backslash becomes two; a byte
    that is no UTF-8 becomes `\\xff`, a control character `\\n`, `\\t`, `\\r` or `\\u001b`.
    """
    if "\\" not in name and all(map(_is_shown, name)):
        return name
    return "".join(map(_escaped, name))


def from_text(text: str) -> str:
    """The file name that `as_text` wrote."""
    return _ESCAPE.sub(_unescaped, text)


_SHORT = {"\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}
_LONG = {short: character for character, short in _SHORT.items()}
_ESCAPE = re.compile(r"\\(?:[\\ntr]|x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8})")
_JOINERS = "\u200c\u200d"  # parts of words and of emoji
_HIDDEN = ("Cc", "Cf", "Cs", "Zl", "Zp")


def _is_shown(character: str) -> bool:
    return character in _JOINERS or unicodedata.category(character) not in _HIDDEN


def _escaped(character: str) -> str:
    if character in _SHORT:
        return _SHORT[character]
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # how Python holds a byte that is no UTF-8
        return f"\\x{code - 0xDC00:02x}"
    if _is_shown(character):
        return character
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _unescaped(match: re.Match[str]) -> str:
    escape = match[0]
    if escape in _LONG:
        return _LONG[escape]
    code = int(escape[2:], 16)
    return chr(0xDC00 + code if escape[1] == "x" else code)


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
    lock = path.with_name(f".{path.name[:_LONGEST_TAIL]}.lock")
    while True:
        with open(lock, "w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise UserError(
                    f"{path} is being written by another process; wait for it to end."
                ) from None
            # The one before may have taken the file away between our opening and our locking it:
            # then nothing is held.
            if not lock.exists() or os.fstat(file.fileno()).st_ino != lock.stat().st_ino:
                continue
            with unfinished(lock):
                yield
            return


def check_keeps(output: Path, option: str, *inputs: str | os.PathLike[str]) -> None:
    """Raise a `UserError` if writing an output would replace what is read: the same file, a file of
    a folder that is read, or, of a folder, one that is read or a run.

    Args:
        output: the file or folder to write.
        option: that names it, such as "-o".
        *inputs: paths of files and folders that are read; other names are ignored.
    """
    place = output.resolve()
    for each in inputs:
        source = expanded(each)
        if not source.exists():
            continue
        source = source.resolve()
        inside = source.is_dir() and place.is_file() and source in place.parents
        beside = place.is_dir() and source.is_file() and place == source.parent
        if place == source or inside or beside:
            raise UserError(
                f"{option} {as_text(str(output))!r} would replace what is read. Give another path."
            )
    if place.is_dir() and (place / "recipe.yaml").is_file():
        raise UserError(f"{option} {as_text(str(output))!r} is a run folder. Give another path.")


def check_writable(path: str | os.PathLike[str], what: str, folder: bool = False) -> Path:
    """Check, before any work, that a file or folder can be written; nothing is left behind.

    Args:
        path: of the file or folder, which need not exist; `~` is the home folder.
        what: the option or key that names it, such as "--run-dir", for the error.
        folder: whether it is to be a folder.

    Returns:
        The path, with the home folder for `~`; for a link to a file the path of that file, so that
        the link stays.

    Raises:
        UserError: for a path that cannot be created, with the reason, and for one that is neither a
            regular file nor a folder.
    """
    target = expanded(path)
    try:
        above = target.absolute()
        while not os.path.lexists(above):
            limit = os.pathconf("/", "PC_NAME_MAX") if hasattr(os, "pathconf") else 255
            if len(os.fsencode(above.name)) > limit - len(".old-1234567-"):
                raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
            above = above.parent
        if above == target.absolute():
            kind = what_else(above) or "a file"
            if kind != ("a folder" if folder else "a file"):
                wanted = "a folder" if folder else "a file"
                raise OSError(errno.EINVAL, f"it is {kind}, not {wanted}")
            if not folder and above.is_symlink():
                target = above = above.resolve()
            above = above if folder else above.parent
        if not above.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, f"{str(above)!r} is not a folder")
        with tempfile.TemporaryFile(dir=above):
            pass
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).rstrip(".")
        shown = as_text(str(target))
        shown = shown if len(shown) <= 100 else f"{shown[:60]}…{shown[-30:]}"
        raise UserError(
            f"{what} {shown!r} cannot be written: {reason[:1].lower()}{reason[1:]}. Give another"
            " path."
        ) from None
    return target


_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def full_disk(path: str | os.PathLike[str] | None = None) -> str:
    """The sentence for a disk that became full while a path was written."""
    where = f" while {as_text(os.fspath(path))!r} was written" if path else ""
    return f"The disk became full{where}. Older files are intact; make room and try again."


def is_full(error: BaseException | None) -> bool:
    """Whether an error, or one that caused it, says that a disk is full. HDF5 and TensorFlow say so
    in words alone."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if isinstance(error, OSError) and error.errno in _FULL:
            return True
        if any(
            os.strerror(each) in str(error) or f"errno = {each}," in str(error) for each in _FULL
        ):
            return True
        error = error.__cause__ or error.__context__
    return False


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
    except ValueError:  # a name with a null character
        return ""
    if stat.S_ISREG(mode):
        return ""
    return next((words for test, words in _KINDS if test(mode)), "neither a file nor a folder")


def check_regular(path: str | os.PathLike[str]) -> None:
    """Raise a `UserError` for a path that exists and is neither a regular file nor a folder."""
    what = what_else(path)
    if what and what != "a folder":
        raise UserError(f"{as_text(os.fspath(path))!r} is {what}; give a file or a folder.")
