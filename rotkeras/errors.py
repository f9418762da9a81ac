"""The error for a mistake that the user can fix."""

import difflib
import re
from collections.abc import Iterable


class UserError(ValueError):
    """A mistake that the user can fix: what is wrong with which value, what is accepted, how to fix
    it.

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


def must(name: str, expected: str, value: object, hint: str = "") -> UserError:
    """The error for a wrong value: "image_size must be at least 8, got 0."

    Args:
        name: of the argument, or the key path in a recipe.
        expected: what is accepted, with its verb: "be at least 8".
        value: what was received.
        hint: how to fix it.
    """
    sentence = f"{name} must {expected}, got {received(value)}"
    sentence += f"; {hint}" if hint else ""
    return UserError(sentence if sentence.endswith(("?", ".")) else f"{sentence}.")


def received(value: object) -> str:
    """A value as an error shows it: short, on one line, arrays by their dtype and shape."""
    dtype, shape = getattr(value, "dtype", None), getattr(value, "shape", None)
    if shape == () and hasattr(value, "item"):
        value = value.item()  # a number of NumPy
    elif dtype is not None and shape is not None and not isinstance(value, type):
        name = getattr(dtype, "name", None) or str(dtype)
        article = "an" if name[:1] in "aeio" else "a"
        return f"{article} {name} array of shape {tuple(shape)}"
    if isinstance(value, type) or callable(value):
        return f"the {'class' if isinstance(value, type) else 'function'} " + str(
            getattr(value, "__name__", type(value).__name__)
        )
    try:
        text = " ".join(repr(value).split())
    except Exception:  # of a class of the user
        text = "<"
    if text.startswith("<"):
        return f"an object of type {type(value).__name__}"
    return text if len(text) <= 80 else f"{text[:77]}…"


def brief(error: Exception) -> str:
    """An error's text on one line of at most 160 characters, without the colours that Keras puts
    in."""
    text = " ".join(re.sub(r"\x1b\[[\d;]*m", "", str(error)).split()) or type(error).__name__
    return text if len(text) < 160 else text[:157] + "…"
