"""The one error that is the user's to mend."""

import difflib
import re
from collections.abc import Iterable


class UserError(ValueError):
    """A mistake that the user can mend: one sentence that says what was wrong, expected, received,
    and what to do.

    The command line prints the sentence and exits with code 2; nothing of rotkeras raises it for a
    defect of its own.
    """


def nearest(name: str, valid: Iterable[str]) -> str:
    """A half-sentence that suggests the valid name closest to `name`, or lists the valid names when
    none is close.

    Args:
        name: what was received.
        valid: the names that would have been accepted.

    Returns:
        `"did you mean 'epochs'?"`, or `"valid: 'a', 'b'"`.
    """
    valid = list(valid)
    close = difflib.get_close_matches(name, valid, n=1, cutoff=0.6) or [
        each for each in valid if len(name) > 2 and name in each
    ]
    if close:
        return f"did you mean {close[0]!r}?"
    return "valid: " + ", ".join(repr(each) for each in valid)


def brief(error: Exception) -> str:
    """An error's text on one line of at most 160 characters, without the colours that Keras puts
    in."""
    text = " ".join(re.sub(r"\x1b\[[\d;]*m", "", str(error)).split()) or type(error).__name__
    return text if len(text) < 160 else text[:157] + "…"
