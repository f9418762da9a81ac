"""Strict YAML: what a recipe file says, or one line on why it cannot be read."""

import math
import re
from pathlib import Path
from typing import Any

import yaml

from rotkeras.errors import UserError


class _Loader(yaml.SafeLoader):
    """Safe YAML with the scalars of YAML 1.2: `1e-4` is a number, `no` and `on` are words.
    Duplicate keys are refused."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:null", re.compile(r"^(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""]
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:int", re.compile(r"^[-+]?[0-9]+$"), list("-+0123456789")
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(
        r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$|^[-+]?\.(?:inf|Inf|INF)$|^\.(?:nan|NaN|NAN)$"
    ),
    list("-+0123456789."),
)


def _integer(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> int:
    return int(loader.construct_scalar(node))  # decimal: YAML 1.1 would read 010 as eight


_Loader.add_constructor("tag:yaml.org,2002:int", _integer)


def parse(text: str, name: str) -> Any:
    """The content of a YAML text.

    Raises:
        UserError: one line with the file's name, the line number, the key path where there is one,
            and what is wrong.
    """
    try:
        node = yaml.compose(text, _Loader)
        if node is not None:
            _check_keys(node, "", name, ())
        return yaml.load(text, _Loader)  # a subclass of SafeLoader
    except RecursionError:
        raise UserError(f"{name}: not valid YAML (nested too deeply).") from None
    except (yaml.YAMLError, ValueError) as error:
        if isinstance(error, UserError):
            raise
        mark = getattr(error, "problem_mark", None)
        where = f":{mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise UserError(f"{name}{where}: not valid YAML ({problem}); fix this line.") from None


def _check_keys(node: yaml.Node, path: str, name: str, above: tuple[yaml.Node, ...]) -> None:
    """Refuse keys that stand twice, of which YAML readers keep the last, and keys that are no
    words."""
    if any(node is each for each in above):
        raise UserError(
            f"{name}:{node.start_mark.line + 1}: {path.rstrip('.')} must not contain itself."
        )
    above = (*above, node)
    if isinstance(node, yaml.SequenceNode):
        for position, each in enumerate(node.value):
            _check_keys(each, f"{path}{position}.", name, above)
    if not isinstance(node, yaml.MappingNode):
        return
    seen = set()
    for key, value in node.value:
        where = f"{name}:{key.start_mark.line + 1}: {path}{_shown(key)}"
        if not isinstance(key, yaml.ScalarNode) or key.tag != "tag:yaml.org,2002:str":
            raise UserError(f"{where}: a key must be a word, got {key.tag.rsplit(':', 1)[-1]}.")
        if key.value in seen:
            raise UserError(f"{where} is given twice; keep one.")
        seen.add(key.value)
        if isinstance(value, yaml.ScalarNode) and value.value == "" and value.style is None:
            raise UserError(
                f"{where} has no value; give one, write null where the key allows it, or remove the"
                " key."
            )
        _check_keys(value, f"{path}{key.value}.", name, above)


def _shown(key: yaml.Node) -> str:
    """A key in a message: of a file that is no recipe nothing but a word is repeated."""
    word = key.value if isinstance(key, yaml.ScalarNode) else ""
    return word if re.fullmatch(r"[\w.-]{1,40}", word) else "…"


def read_mapping(path: Path) -> dict[str, Any]:
    """The mapping that a recipe file holds; the keys of its top level are its sections."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = (
            "it is not text"
            if isinstance(error, UnicodeDecodeError)
            else (error.strerror or str(error)).lower()
        )
        raise UserError(
            f"{path} could not be read ({reason}). Give a YAML recipe; `rotkeras recipes` lists the"
            " shipped ones."
        ) from None
    content = parse(text, str(path))
    if content is None:
        raise UserError(
            f"{path} holds no recipe: it is empty or has comments only; `rotkeras recipes folder`"
            " prints one to start from."
        )
    if not isinstance(content, dict):
        raise UserError(
            f"{path} must have sections such as 'data:' and 'train:', got a"
            f" {type(content).__name__}; see `rotkeras schema`."
        )
    return content


def write(content: Any) -> str:
    """YAML that `parse` reads back to the same content: keys in their order, numbers as YAML 1.2
    writes them."""
    return yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


class _Dumper(yaml.SafeDumper):
    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        return super().increase_indent(flow, False)


def _represent_float(dumper: yaml.SafeDumper, value: float) -> yaml.ScalarNode:
    text = (
        repr(value)
        if math.isfinite(value)
        else {math.inf: ".inf", -math.inf: "-.inf"}.get(value, ".nan")
    )
    return dumper.represent_scalar("tag:yaml.org,2002:float", text)


def _represent_list(dumper: yaml.SafeDumper, value: Any) -> yaml.SequenceNode:
    plain = all(not isinstance(each, dict | list | tuple) for each in value)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", value, flow_style=plain)


def _represent_word(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    # Quote what this loader or a YAML 1.1 reader would take for something else than a word.
    if "\x85" in value:  # a line break to YAML, which would become a blank
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style='"')
    risky = _Loader("").resolve(yaml.ScalarNode, value, (True, False)) != "tag:yaml.org,2002:str"
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="'" if risky else None)


_Dumper.add_representer(float, _represent_float)
_Dumper.add_representer(list, _represent_list)
_Dumper.add_representer(tuple, _represent_list)
_Dumper.add_representer(str, _represent_word)
