"""Sections of a recipe, derived from the typed signature of what they name.

So an option is declared once, with its type, range, default and description: for Python, YAML,
`rotkeras schema` and the documentation.
"""

import collections.abc
import functools
import inspect
import operator
import re
import types
import typing
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, create_model

from rotkeras.arguments.checked import parameter_hints
from rotkeras.recipe.section import Section


def section(name: str, maker: Callable[..., Any], without: Sequence[str] = ()) -> type[Section]:
    """The section `{name: …, **arguments}` of a function or class.

    Args:
        name: that the recipe uses; "" for a section that has no name, since there is no other in
            its place.
        maker: every argument has an annotation; those without a default must be given. The
            docstring's `Args:` describe them.
        without: arguments that are no settings of a recipe.
    """
    function: Any = maker.__init__ if isinstance(maker, type) else maker  # type: ignore[misc]
    hints = parameter_hints(function)
    described = descriptions(maker.__doc__ or "")
    fields: dict[str, Any] = {"name": (Literal[name], name)} if name else {}
    for key, parameter in inspect.signature(maker).parameters.items():
        if key in without:
            continue
        default = ... if parameter.default is parameter.empty else parameter.default
        default = list(default) if isinstance(default, tuple) else default
        fields[key] = (_for_yaml(hints[key]), Field(default, description=described.get(key)))
    title = "".join(word.capitalize() for word in name.split("_")) or maker.__name__
    summary = (maker.__doc__ or "").partition("\n\n")[0]
    made: type[Section] = create_model(
        title, __base__=Section, __doc__=" ".join(summary.split()), **fields
    )
    return made


def one_of(*sections: type[Section], default: str | None = None) -> Any:
    """The annotation of a field that holds one of several sections, chosen by its name.

    Args:
        sections: at least one.
        default: the name of a section that does not say its own; None requires one.
    """
    chosen: Any = sections[0]
    if len(sections) > 1:
        chosen = Annotated[typing.Union[sections], Field(discriminator="name")]  # noqa: UP007
    if default is None:
        return chosen

    def named(content: Any) -> Any:
        return {"name": default, **content} if isinstance(content, dict) else content

    return Annotated[chosen, BeforeValidator(named)]


def descriptions(docstring: str) -> dict[str, str]:
    """{argument: its description} of the `Args:` of a docstring."""
    lines = inspect.cleandoc(docstring).splitlines()
    if "Args:" not in lines:
        return {}
    found: dict[str, str] = {}
    name = ""
    for line in lines[lines.index("Args:") + 1 :]:
        if line and not line.startswith(" "):
            break
        if match := re.match(r"    (\w+): (.*)", line):
            name = match[1]
            found[name] = match[2]
        elif name and line.strip():
            found[name] += f" {line.strip()}"
    return {key: text[:1].upper() + text[1:] for key, text in found.items()}


def _for_yaml(hint: Any) -> Any:
    """An annotation with lists, as YAML has them, where Python takes any sequence."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        return Annotated[(_for_yaml(arguments[0]), *arguments[1:])]
    if origin in (typing.Union, types.UnionType):
        return functools.reduce(operator.or_, (_for_yaml(each) for each in arguments))
    if origin is tuple and Ellipsis not in arguments:
        count = len(arguments)
        return Annotated[list[arguments[0]], Field(min_length=count, max_length=count)]  # type: ignore[valid-type]
    if origin in (collections.abc.Sequence, Sequence, tuple):
        return list[_for_yaml(arguments[0])]  # type: ignore[misc]
    return hint
