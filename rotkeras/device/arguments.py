"""Checks of arguments, in the words of `rotkeras.arguments`, which a device does not have."""

import numbers
import os
from typing import Any

from rotkeras.errors import must


def check_path(name: str, value: Any) -> None:
    """Raise a `UserError` for what is no path, or an empty one."""
    if not isinstance(value, str | os.PathLike) or not os.fspath(value).strip():
        raise must(name, "be a path", value)


def check_whole(name: str, value: Any, least: int = 1, optional: bool = False) -> None:
    """Raise a `UserError` for what is no whole number, or one below `least`."""
    if optional and value is None:
        return
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise must(name, "be a whole number", value)
    if value < least:
        raise must(name, f"be at least {least}", value)


def check_number(name: str, value: Any, above: float = 0.0, optional: bool = False) -> None:
    """Raise a `UserError` for what is no finite number, or one that is not above a limit."""
    if optional and value is None:
        return
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise must(name, "be a number", value)
    if not float("-inf") < float(value) < float("inf"):
        raise must(name, "be a finite number", value)
    if value <= above:
        raise must(name, f"be greater than {above:g}", value)


def check_text(name: str, value: Any, optional: bool = False) -> None:
    """Raise a `UserError` for what is no string."""
    if not (optional and value is None) and not isinstance(value, str):
        raise must(name, "be a string", value)


def check_flag(name: str, value: Any) -> None:
    """Raise a `UserError` for what is neither true nor false."""
    if not isinstance(value, bool) and type(value).__name__ not in ("bool", "bool_"):
        raise must(name, "be true or false", value)
