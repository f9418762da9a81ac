"""How numbers and commands are written for people."""

import os
import re
import shlex
from collections.abc import Sequence

Words = Sequence[str | os.PathLike[str]]
"""A command: options and values as text, paths as paths."""

_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def clock(seconds: float) -> str:
    """Seconds as `1:02:03` or `2:03`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def readable_size(count: int) -> str:
    """Bytes in the unit that suits them: `54.7 kB`, `1.47 MB`."""
    return f"{count / 1e6:.2f} MB" if count >= 1e6 else f"{count / 1e3:.1f} kB"


def command_line(*words: str | os.PathLike[str]) -> str:
    """A command that can be pasted into a shell.

    Args:
        words: options and values as text, paths as paths: one that begins with "-" gets "./" before
            it, so that it is not taken for an option.

    Returns:
        The words, quoted where a POSIX shell needs it. Bytes that are no text and control
        characters are written as $'\\xff', which bash and zsh read.
    """
    return " ".join(_quoted(word) for word in words)


def _quoted(word: str | os.PathLike[str]) -> str:
    text = os.fspath(word)
    if isinstance(word, os.PathLike) and text.startswith("-"):
        text = f"./{text}"
    if not _UNPRINTABLE.search(text):
        return shlex.quote(text)
    escaped = _UNPRINTABLE.sub(_as_bytes, re.sub(r"['\\]", r"\\\g<0>", text))
    return f"$'{escaped}'"


def _as_bytes(found: re.Match[str]) -> str:
    return "".join(f"\\x{byte:02x}" for byte in os.fsencode(found[0]))


def points(value: float, low: float, high: float) -> str:
    """A difference in percentage points with its interval: `+0.2 (-0.1 … +0.5)`; no zero has a
    minus."""
    middle, least, most = (f"{round(each, 1) + 0.0:+.1f}" for each in (value, low, high))
    return f"{middle} ({least} … {most})"
