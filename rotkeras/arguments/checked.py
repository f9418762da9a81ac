"""Arguments of public functions, checked against the annotations of their signatures."""

import collections.abc
import functools
import inspect
import os
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal, TypeVar

import numpy as np
from pydantic import AfterValidator, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from rotkeras.arguments.accepted import STRICT, Shape, Wrong
from rotkeras.arguments.sentences import at_least, sentence
from rotkeras.errors import UserError, received

Function = TypeVar("Function", bound=Callable[..., Any])


def checked(target: Function) -> Function:
    """Check the arguments of a function, or of the constructor of a class, against its annotations.

    NumPy numbers are accepted where Python's are, and become Python's. A sequence may be a list or
    a tuple. Arrays are checked for dtype and axes; other objects for their class. Missing and
    unknown arguments stay a `TypeError`.

    Raises:
        UserError: by the wrapped function, one sentence with the argument, what is accepted and
            what was received.
    """
    if isinstance(target, type):
        target.__init__ = checked(target.__init__)  # type: ignore[misc]
        return typing.cast(Function, target)
    signature = inspect.signature(target)
    checks: dict[str, Callable[[Any], Any]] = {}

    @functools.wraps(target)
    def with_checks(*positional: Any, **named: Any) -> Any:
        try:
            bound = signature.bind(*positional, **named)
        except TypeError as error:
            name = target.__qualname__.removesuffix(".__init__")
            raise TypeError(f"{name}() {error}") from None
        if not checks:
            checks.update(
                (name, checker(hint))
                for name, hint in parameter_hints(target).items()
                if name in signature.parameters and signature.parameters[name].kind in _ONE_VALUE
            )
        for name, value in bound.arguments.items():
            if name in checks:
                try:
                    bound.arguments[name] = checks[name](value)
                except Refused as refused:
                    raise UserError(sentence(refused.mistake, name)) from None
        return target(*bound.args, **bound.kwargs)

    return typing.cast(Function, with_checks)


def parameter_hints(function: Callable[..., Any]) -> dict[str, Any]:
    """{parameter: its annotation}. That of the returned value is left out: it may name a package
    that is imported only when the function is called."""
    while hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    annotations = dict(function.__annotations__)
    annotations.pop("return", None)
    holder = types.SimpleNamespace(__annotations__=annotations)
    names: dict[str, Any] = getattr(function, "__globals__", {})
    return typing.get_type_hints(holder, globalns=names, include_extras=True)


_ONE_VALUE = (
    inspect.Parameter.POSITIONAL_ONLY,
    inspect.Parameter.POSITIONAL_OR_KEYWORD,
    inspect.Parameter.KEYWORD_ONLY,
)


class Refused(Exception):  # noqa: N818
    """A value that does not fit an annotation.

    Attributes:
        mistake: in the form of pydantic's `ValidationError.errors()`.
        near: whether the value is of the right type and only out of range.
    """

    def __init__(self, mistake: Mapping[str, Any], near: bool = False) -> None:
        super().__init__(mistake)
        self.mistake = mistake
        self.near = near


def _refuse(value: Any, expected: str, near: bool = False, hint: str = "") -> Refused:
    context = {"expected": expected, "hint": hint}
    mistake = {"type": "rotkeras", "loc": (), "input": value, "ctx": context}
    return Refused(mistake, near)


def checker(hint: Any) -> Callable[[Any], Any]:
    """A function that returns a value, or raises `Refused` when it does not fit the annotation."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint in (Any, object):
        return lambda value: value
    if origin is Annotated:
        if _is_leaf(arguments[0]):
            return _leaf(hint)
        return _constrained(checker(arguments[0]), arguments[1:])
    if _is_leaf(hint):
        return _leaf(hint)
    if origin in (typing.Union, types.UnionType):
        return _union(hint, arguments)
    kind = origin or hint
    if kind is Callable or kind is collections.abc.Callable:
        return _is(callable, expectation(hint))
    if not isinstance(kind, type) or getattr(kind, "_is_protocol", False):
        return lambda value: value
    if issubclass(kind, np.ndarray):
        return _array(arguments)
    if kind is tuple and arguments and arguments[-1] is not Ellipsis:
        return _fixed([checker(each) for each in arguments], expectation(hint))
    if issubclass(kind, Mapping):
        return _mapping(*map(checker, arguments or (Any, Any)))
    if issubclass(kind, Sequence) and not issubclass(kind, str | bytes) and arguments:
        return _sequence(checker(arguments[0]), always_tuple=kind is tuple)
    return _is(lambda value: isinstance(value, kind), expectation(hint))


def expectation(hint: Any) -> str:
    """What an annotation accepts, as a noun: "a whole number"."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        return expectation(arguments[0])
    if origin in (typing.Union, types.UnionType):
        if _is_path(arguments):
            return "a path"
        nouns = [expectation(each) for each in arguments if each is not type(None)]
        return ", ".join(nouns[:-1]) + " or " * bool(nouns[1:]) + nouns[-1]
    if origin is Literal:
        return f"one of {', '.join(map(repr, arguments))}" if arguments[1:] else repr(arguments[0])
    kind = origin or hint
    if kind is Callable or kind is collections.abc.Callable:
        return "a function"
    if kind in _NOUNS:
        return _NOUNS[kind]
    if issubclass(kind, np.ndarray):
        return _array_noun(_dtype(arguments))
    if issubclass(kind, Mapping):
        return "a mapping"
    if issubclass(kind, Sequence):
        fixed = kind is tuple and arguments and arguments[-1] is not Ellipsis
        return f"a list of {len(arguments)} values" if fixed else "a list"
    if issubclass(kind, os.PathLike):
        return "a path"
    library = kind.__module__.partition(".")[0].capitalize()
    article = "an" if kind.__name__[0] in "AEIO" else "a"
    return (
        f"a Keras {kind.__name__.lower()}" if library == "Keras" else f"{article} {kind.__name__}"
    )


_NOUNS = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "a string",
    type(None): "None",
}


def _is_leaf(hint: Any) -> bool:
    return hint in (int, float, bool, str) or typing.get_origin(hint) is Literal


def _is_path(alternatives: Sequence[Any]) -> bool:
    kinds = [typing.get_origin(each) or each for each in alternatives]
    return str in kinds and any(
        isinstance(each, type) and issubclass(each, os.PathLike) for each in kinds
    )


def _leaf(hint: Any) -> Callable[[Any], Any]:
    adapter: TypeAdapter[Any] = TypeAdapter(hint, config=STRICT)

    def check(value: Any) -> Any:
        plain = value.item() if isinstance(value, np.generic) else value
        try:
            return adapter.validate_python(plain)
        except ValidationError as error:
            mistake = {**error.errors()[0], "input": value}
            wrong_type = mistake["type"].endswith("_type") or (
                mistake["type"] == "literal_error" and not isinstance(plain, _kinds(hint))
            )
            raise Refused(mistake, near=not wrong_type) from None

    return check


def _kinds(hint: Any) -> tuple[type, ...]:
    return tuple(type(each) for each in typing.get_args(hint))


def _is(accepts: Callable[[Any], bool], noun: str) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        if not accepts(value):
            raise _refuse(value, f"be {noun}")
        return value

    return check


def _union(hint: Any, alternatives: Sequence[Any]) -> Callable[[Any], Any]:
    optional = type(None) in alternatives
    others = [each for each in alternatives if each is not type(None)]
    if _is_path(others):
        kinds = tuple(typing.get_origin(each) or each for each in others)
        checks = [_is(lambda value: isinstance(value, kinds), expectation(hint))]
    else:
        checks = [checker(each) for each in others]

    def check(value: Any) -> Any:
        if value is None and optional:
            return None
        refusals = []
        for alternative in checks:
            try:
                return alternative(value)
            except Refused as refused:
                refusals.append(refused)
        near = [each for each in refusals if each.near]
        if len(refusals) == 1 or near:
            raise [*near, *refusals][0]
        raise _refuse(value, f"be {expectation(hint)}")

    return check


def _constrained(check: Callable[[Any], Any], metadata: Iterable[Any]) -> Callable[[Any], Any]:
    """A check with the constraints on top of it: lengths, axes and validators."""
    constraints = [
        inner
        for each in metadata
        for inner in (each.metadata if isinstance(each, FieldInfo) else [each])
    ]

    def constrained(value: Any) -> Any:
        value = check(value)
        if value is None:
            return None
        for each in constraints:
            least, most = getattr(each, "min_length", None), getattr(each, "max_length", None)
            if least is not None and len(value) < least:
                raise _refuse(value, at_least(least), near=True)
            if most is not None and len(value) > most:
                raise _refuse(value, f"have at most {most} values", near=True)
            if isinstance(each, Shape) and not each.fits(value.shape):
                raise _refuse(value, f"have the axes {each}", near=True)
            if isinstance(each, AfterValidator):
                try:
                    value = each.func(value)  # type: ignore[call-arg]
                except Wrong as error:
                    mistake = {"type": "value_error", "loc": (), "ctx": {"error": error}}
                    raise Refused({**mistake, "input": value}, near=True) from None
        return value

    return constrained


def _inside(position: Any, check: Callable[[Any], Any], value: Any) -> Any:
    try:
        return check(value)
    except Refused as refused:
        mistake = {**refused.mistake, "loc": (position, *refused.mistake["loc"])}
        raise Refused(mistake, near=True) from None


def _sequence(check: Callable[[Any], Any], always_tuple: bool = False) -> Callable[[Any], Any]:
    def check_all(value: Any) -> Any:
        if isinstance(value, np.ndarray) and value.ndim == 1:
            value = value.tolist()
        if not isinstance(value, Sequence) or isinstance(value, str | bytes):
            hint = f"write [{received(value)}]" if isinstance(value, str) and value else ""
            raise _refuse(value, "be a list", hint=hint)
        if not isinstance(value, list | tuple | range):
            return value  # of a class of its own, such as many file names: too long to look through
        checked_values = [_inside(number, check, each) for number, each in enumerate(value)]
        if isinstance(value, tuple) or always_tuple:
            return tuple(checked_values)
        # A list that another holds as well stays that list.
        same = all(old is new for old, new in zip(value, checked_values, strict=True))
        return value if same and isinstance(value, list) else checked_values

    return check_all


def _fixed(checks: Sequence[Callable[[Any], Any]], noun: str) -> Callable[[Any], Any]:
    def check_each(value: Any) -> Any:
        if isinstance(value, np.ndarray) and value.ndim == 1:
            value = value.tolist()
        if not isinstance(value, list | tuple) or len(value) != len(checks):
            raise _refuse(value, f"be {noun}")
        pairs = enumerate(zip(checks, value, strict=True))
        return tuple(_inside(number, check, each) for number, (check, each) in pairs)

    return check_each


def _mapping(
    check_key: Callable[[Any], Any], check_value: Callable[[Any], Any]
) -> Callable[[Any], Any]:
    def check_all(value: Any) -> Any:
        if not isinstance(value, Mapping):
            raise _refuse(value, "be a mapping")
        values = {
            _inside(key, check_key, key): _inside(key, check_value, each)
            for key, each in value.items()
        }
        return value if all(values[key] is each for key, each in value.items()) else values

    return check_all


def _dtype(arguments: Sequence[Any]) -> str:
    inner = typing.get_args(arguments[1]) if len(arguments) > 1 else ()
    return inner[0].__name__ if inner and isinstance(inner[0], type) else "NumPy"


def _array_noun(dtype: str) -> str:
    return f"{'an' if dtype[0] in 'aeio' else 'a'} {dtype} array"


def _array(arguments: Sequence[Any]) -> Callable[[Any], Any]:
    """uint8 is meant exactly; other whole numbers and floats stand for all of their kind."""
    wanted = _dtype(arguments)
    kinds = {"int64": "iu", "float32": "fiu", "float64": "fiu"}.get(wanted)

    def check(value: Any) -> Any:
        dtype = getattr(value, "dtype", None)
        fits = dtype is not None and hasattr(value, "shape") and hasattr(value, "__getitem__")
        if fits and wanted == "uint8":
            fits = str(dtype) == "uint8" or getattr(dtype, "name", "") == "uint8"
        elif fits and kinds is not None:
            fits = getattr(dtype, "kind", kinds[0]) in kinds
        if not fits:
            raise _refuse(value, f"be {_array_noun(wanted)}", near=dtype is not None)
        return value

    return check
