"""Terminals and pipes that cannot say every character."""

import codecs
import sys

_ASCII = {
    "…": "...",
    "×": "x",
    "±": "+/-",
    "°": " degrees",
    "·": "*",
    "–": "-",
    "—": "-",
    "−": "-",
    "‑": "-",
    "→": "->",
    "≤": "<=",
    "≥": ">=",
    "≈": "~",
    "‘": "'",
    "’": "'",
    "“": '"',
    "”": '"',
    "•": "*",
    "✓": "yes",
    "\u00a0": " ",
    "\u202f": " ",
    "²": "^2",
    "µ": "u",
}
_NAME = "rotkeras.ascii"
_CODEC = "rotkeras_ascii"


def in_ascii(error: UnicodeError) -> tuple[str | bytes, int]:
    """The replacement of characters that an encoding does not have: signs by ASCII, letters of
    names by `\\u` and their code."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    wrong = error.object[error.start : error.end]
    return "".join(_ASCII.get(each) or _code(each) for each in wrong), error.end


def _code(character: str) -> str:
    return character.encode("ascii", "backslashreplace").decode("ascii")


def prepare() -> None:
    """Let standard output and standard error fall back to ASCII where their encoding lacks a
    character, instead of ending the command."""
    codecs.register_error(_NAME, in_ascii)
    codecs.register(_find)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            is_ascii = codecs.lookup(stream.encoding).name == "ascii"
            # click takes ASCII for a mistake, and writes UTF-8 instead.
            stream.reconfigure(encoding=_CODEC if is_ascii else stream.encoding, errors=_NAME)


def _find(name: str) -> codecs.CodecInfo | None:
    """ASCII by another name."""
    if name != _CODEC:
        return None
    plain = codecs.lookup("ascii")
    return codecs.CodecInfo(
        plain.encode,
        plain.decode,
        plain.streamreader,
        plain.streamwriter,
        plain.incrementalencoder,
        plain.incrementaldecoder,
        name=_CODEC,
    )
