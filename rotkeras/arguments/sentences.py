"""Mistakes in words: one sentence for an error of pydantic, in recipes and for arguments alike."""

import typing
from collections.abc import Mapping
from typing import Any

from rotkeras.arguments.accepted import ProbeName
from rotkeras.errors import nearest, received

_PATTERNS = {
    typing.get_args(ProbeName)[1].metadata[0].pattern: (
        "be ridge, logistic, linear, nonlinear, conv or knn-K with a number K"
    ),
    r"^[A-Za-z0-9][A-Za-z0-9._-]*$": (
        "consist of letters, digits, '.', '_' and '-', and start with a letter or digit"
    ),
}

_PROBES = (
    *("ridge", "logistic", "linear", "nonlinear", "conv", "global-logistic", "global-linear"),
    *("knn-20", "knn-200"),
)


def sentence(mistake: Mapping[str, Any], name: str) -> str:
    """A mistake as one sentence: "image_size must be at least 8, got 0."

    Args:
        mistake: an element of pydantic's `ValidationError.errors()`.
        name: of the argument, or the path of the key in a recipe; positions within it that the
            mistake names are added.
    """
    path = name + "".join(
        f"[{each}]" if isinstance(each, int) else f".{each}" for each in mistake["loc"]
    )
    return complete(path, clause(mistake))


def complete(path: str, words: str) -> str:
    """A path and a clause of `clause` as a sentence."""
    joined = f"{path}{words}" if words.startswith(".") else f"{path} {words}"
    return joined if joined.endswith(("?", ".")) else f"{joined}."


def clause(mistake: Mapping[str, Any]) -> str:
    """What stands after the name of the value: "must be at least 8, got 0"."""
    value, context = mistake["input"], mistake.get("ctx") or {}
    hint = ""
    match mistake["type"]:
        case "rotkeras":
            expected, hint = context["expected"], context.get("hint", "")
        case "value_error":
            error = context["error"]
            key = getattr(error, "key", "")
            return f".{key} {error}" if key else str(error)
        case "greater_than_equal":
            expected = f"be at least {_number(context['ge'])}"
        case "greater_than":
            expected = f"be greater than {_number(context['gt'])}"
        case "less_than_equal":
            expected = f"be at most {_number(context['le'])}"
        case "less_than":
            expected = f"be less than {_number(context['lt'])}"
        case "int_type":
            expected = "be a whole number"
        case "float_type":
            expected = "be a number"
        case "finite_number":
            expected = "be a finite number"
        case "bool_type":
            expected = "be true or false"
        case "string_type":
            expected = "be a string"
        case "literal_error" | "union_tag_invalid":
            expected, hint = _choice(context, value)
            value = value.get("name") if isinstance(value, Mapping) else value
        case "string_too_short" | "too_short":
            expected = at_least(context["min_length"])
        case "string_too_long" | "too_long":
            expected = f"have at most {context['max_length']} values"
        case "string_pattern_mismatch":
            expected = _PATTERNS.get(context["pattern"], f"match {context['pattern']}")
            hint = nearest(str(value), _PROBES) if "knn" in context["pattern"] else ""
            hint = hint if hint.startswith("did") else ""
        case "list_type" | "tuple_type":
            expected = "be a list"
        case "dict_type":
            expected = "be a mapping"
        case _:
            expected = mistake["msg"].removeprefix("Input should ").removeprefix("Value should ")
    return f"must {expected}, got {received(value)}" + (f"; {hint}" if hint else "")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else str(value)


def _choice(context: Mapping[str, Any], value: Any) -> tuple[str, str]:
    """("be one of 'auto', 'folders'", "did you mean 'folders'?")."""
    text = str(context.get("expected") or context.get("expected_tags"))
    words = [each.strip() for each in text.replace(" or ", ", ").split(", ")]
    plain = [each.strip("'") for each in words]
    tag = value.get("name") if isinstance(value, Mapping) else value
    hint = nearest(tag, plain) if isinstance(tag, str) else ""
    if "keras_applications" in plain and isinstance(tag, str) and tag[:1].isupper():
        hint = f"did you mean {{name: keras_applications, model: {tag}}}?"  # a class of Keras
    expected = f"be one of {', '.join(words)}" if words[1:] else f"be {words[0]}"
    return expected, hint if hint.startswith("did") else ""


def at_least(count: int) -> str:
    """The clause of a least length."""
    return "not be empty" if count == 1 else f"have at least {count} values"
