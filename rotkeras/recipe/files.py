"""Finding, reading, overriding and writing recipes. Nothing here imports TensorFlow: a mistake is
answered at once."""

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from rotkeras.arguments.accepted import AnyPath
from rotkeras.arguments.checked import checked
from rotkeras.arguments.sentences import clause, complete
from rotkeras.data.augmentation import NAMES as AUGMENTATIONS
from rotkeras.errors import UserError, nearest, received
from rotkeras.files import check_regular, expanded
from rotkeras.recipe import read
from rotkeras.recipe.images import SOURCES
from rotkeras.recipe.models import BACKBONES, OPTIMIZERS, SCHEDULES, TASKS, Recipe
from rotkeras.recipe.section import Section

_SOURCE_KEYS = {f"{section}.{source}" for section in ("data", "probe.data") for source in SOURCES}

_NAME_KEYS = ("task.name", "backbone.name", "train.optimizer.name", "train.schedule.name")

TRANSFER = ("classify", "detect", "segment")
"""Names of tasks whose recipes `rotkeras finetune` takes."""

_TAGS = {"own", *TRANSFER, *AUGMENTATIONS, *TASKS, *BACKBONES, *SCHEDULES, *OPTIMIZERS}

AnyRecipe = TypeVar("AnyRecipe", bound=Section)


def shipped_folder() -> Path:
    """The folder of the recipes that ship: inside the installed package, or beside it in a
    checkout."""
    package = Path(__file__).resolve().parent.parent
    installed = package / "recipes"
    return installed if installed.is_dir() else package.parent / "recipes"


def shipped() -> dict[str, Path]:
    """Name -> path of every recipe that ships, sorted by name."""
    return {path.stem: path for path in sorted(shipped_folder().glob("*.yaml"))}


@checked
def find(name: AnyPath) -> Path:
    """The recipe file of a path, or of the bare name of one that ships.

    Raises:
        UserError: when there is neither; the nearest name is suggested.
    """
    path = expanded(name)
    check_regular(path)
    if path.is_file():
        return path
    there = shipped()
    bare = path.stem if path.suffix in (".yaml", ".yml") else path.name
    # `recipes/cifar10.yaml` names the shipped recipe wherever the command is run.
    if bare in there and (str(path) == path.name or path.parent.name == "recipes"):
        return there[bare]
    if path.is_dir():
        raise UserError(
            f"{name} is a folder. Give a recipe file or the name of a shipped recipe:"
            f" {', '.join(there)}."
        )
    raise UserError(
        f"{name}: no such recipe file, and no shipped recipe of that name; {nearest(bare, there)}"
    )


@checked
def load(name: AnyPath, overrides: Sequence[str] = (), data_dir: AnyPath | None = None) -> Recipe:
    """Read the recipe of a pre-training and apply overrides.

    Args:
        name: a path, or the bare name of a recipe that ships.
        overrides: each "key.path=value". The value of a key that takes text is everything after
            the first "=", as it is; the value of any other key is YAML: "train.epochs=5",
            "task.angles=[0, 180]". Only `null` means null.
        data_dir: when given, the value of `data.data_dir`, as it is.

    Raises:
        UserError: one line with file, key path, what was expected and received, and the nearest
            valid name.
    """
    return load_kind(Recipe, name, overrides, {"data_dir": data_dir} if data_dir else {})


def load_kind(
    kind: type[AnyRecipe],
    name: str | os.PathLike[str],
    overrides: Sequence[str] = (),
    data: Mapping[str, Any] | None = None,
) -> AnyRecipe:
    """Read a recipe of a kind and apply overrides; see `load`.

    Args:
        kind: `Recipe`, or what another command takes.
        name: a path, or the bare name of a recipe that ships.
        overrides: each "key.path=value".
        data: values of keys of section `data`, as they are.

    Raises:
        UserError: see `load`; and for a recipe of another command.
    """
    path = find(name)
    content = read.read_mapping(path)
    content.setdefault("name", re.sub(r"[^A-Za-z0-9._-]+", "-", path.stem).strip("-._") or "run")
    for number, override in enumerate(overrides):
        apply_override(content, override, overrides[:number], kind)
    if data:
        section = content.setdefault("data", {})
        if isinstance(section, dict):
            section.update(data)
        probe = content.get("probe")
        labelled = probe.get("data") if isinstance(probe, dict) else None
        if isinstance(labelled, dict) and "data_dir" in data:  # sets lie in one folder
            labelled["data_dir"] = data["data_dir"]
    blame = f"recipe {path.stem}" if path.parent == shipped_folder() else str(path)
    _check_command(content, blame, path, kind)
    keys = [override.partition("=")[0].strip() for override in overrides]
    return validate_kind(kind, content, blame, keys)


def _check_command(content: dict[str, Any], blame: str, path: Path, kind: type[Section]) -> None:
    """Raise a `UserError` for the recipe of another command."""
    task = content.get("task")
    name = task.get("name") if isinstance(task, dict) else None
    shown = path.stem if path.parent == shipped_folder() else path
    if kind is Recipe and name in TRANSFER:
        command = f"rotkeras finetune {name} RUN --recipe {shown} --data …"
        raise UserError(f"{blame} fine-tunes an encoder. Run it: {command}")
    if kind is not Recipe and name not in TRANSFER:
        raise UserError(f"{blame} pre-trains an encoder. Run it: rotkeras train {shown}")


def apply_override(
    content: dict[str, Any],
    override: str,
    before: Sequence[str] = (),
    kind: type[Section] = Recipe,
) -> None:
    """Set one value, "key.path=value", in the content of a recipe. Naming a source of images
    replaces the recipe's own, with null too: unless one of the overrides `before` it named
    another. Another name of a section, such as "task.name=simclr", leaves out the settings of the
    old one."""
    key_path, equals, text = override.partition("=")
    keys = key_path.strip().split(".")
    if not equals or not all(keys):
        raise UserError(f"--set must be KEY.PATH=VALUE, such as train.epochs=5, got {override}.")
    value = _value_of(text, keys, content, key_path.strip(), kind)
    place: Any = content
    for depth, key in enumerate(keys[:-1]):
        if isinstance(place, list):
            place = _element(place, key, override)
        else:
            if place.get(key) is None:
                place[key] = {}
            place = place[key]
        if not isinstance(place, dict | list):
            raise UserError(
                f"--set {override}: {'.'.join(keys[: depth + 1])} is a value, not a section; see"
                " `rotkeras schema`."
            )
    if isinstance(place, list):
        _element(place, keys[-1], override)
        place[int(keys[-1])] = value
        return
    section_keys = {f"{key_path.strip().rpartition('.')[0]}.{source}" for source in SOURCES}
    named = any(each.partition("=")[0].strip() in section_keys for each in before)
    if key_path.strip() in _SOURCE_KEYS and not (value is None and named):
        for other in SOURCES:
            place.pop(other, None)
    if key_path.strip() in _NAME_KEYS and place.get("name") != value:
        section = key_path.strip().removesuffix("name")
        kept = {each.partition("=")[0].strip().removeprefix(section) for each in before}
        for key in [each for each in place if each not in kept]:
            del place[key]
    place[keys[-1]] = value


def _value_of(
    text: str, keys: list[str], content: dict[str, Any], key_path: str, kind: type[Section]
) -> Any:
    """What the text after "=" means for a key: the type of the key decides.

    Raises:
        UserError: for an empty value where the key takes none, and for broken YAML.
    """
    takes_text, takes_null = key_type(keys, content, kind)
    if takes_null and text == "null":
        return None
    if takes_text and takes_null and text == "~":
        raise UserError(
            f"--set {key_path}=~ is ambiguous; write null for none, $HOME for the home folder, or"
            " ./~ for a file of that name."
        )
    if takes_text:
        return text
    if not text.strip():
        hint = "null or another value" if takes_null else "a value"
        raise UserError(f"--set {key_path} is empty; write {hint} after the =.")
    value = read.parse(text, f"--set {key_path}")
    if value is None and text.strip() != "null":
        raise UserError(f"--set {key_path} has no value, got {text!r}; write null for none.")
    return value


def key_type(
    keys: Sequence[str], content: Any = None, recipe: type[Section] = Recipe
) -> tuple[bool, bool]:
    """Whether a key of a recipe takes text, and whether it takes null.

    Args:
        keys: the path of the key, such as ("data", "folder") or ("augmentation", "0", "layer").
        content: the recipe so far, which says of which kind an augmentation or a schedule is.
        recipe: the kind of recipe.

    Returns:
        (takes text, takes null); (True, False) for a key that does not exist, which is reported
        when the recipe is validated, whatever its value.
    """
    kinds: list[Any] = [recipe]
    for key in keys:
        found: list[Any] = []
        for kind in kinds:
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                name = content.get("name") if isinstance(content, dict) else None
                names = get_args(kind.model_fields["name"].annotation) if _is_tagged(kind) else ()
                if key in kind.model_fields and (not names or name is None or name in names):
                    found += _alternatives(kind.model_fields[key].annotation)
            elif get_origin(kind) is list and key.isdigit():
                found += _alternatives(get_args(kind)[0])
        if any(get_origin(kind) is dict for kind in kinds):
            return False, True  # arguments of a layer: any YAML
        kinds = found
        content = _inside(content, key)
    if not kinds:
        return True, False
    takes_text = any(
        kind is str
        or (get_origin(kind) is Literal and all(isinstance(each, str) for each in get_args(kind)))
        for kind in kinds
    )
    return takes_text, type(None) in kinds


def _is_tagged(kind: type[BaseModel]) -> bool:
    field = kind.model_fields.get("name")
    return field is not None and field.is_required() and get_origin(field.annotation) is Literal


def _alternatives(annotation: Any) -> list[Any]:
    """The types of a union, without what `Annotated` adds to them."""
    if get_origin(annotation) is Annotated:
        return _alternatives(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return [each for one in get_args(annotation) for each in _alternatives(one)]
    return [annotation]


def _inside(content: Any, key: str) -> Any:
    if isinstance(content, dict):
        return content.get(key)
    if isinstance(content, list) and key.isdigit() and int(key) < len(content):
        return content[int(key)]
    return None


def _element(place: list[Any], key: str, override: str) -> Any:
    if not key.isdigit() or int(key) >= len(place):
        raise UserError(
            f"--set {override} must name an element of the list, 0 to {len(place) - 1}, got"
            f" {key!r}."
        )
    return place[int(key)]


@checked
def validate(content: dict[str, Any], name: str, overrides: Sequence[str] = ()) -> Recipe:
    """A recipe of plain content.

    Args:
        content: what `read.read_mapping` gives.
        name: the file to blame for a mistake.
        overrides: key paths that came from `--set`, which is blamed for them instead.

    Raises:
        UserError: one line with the file, key path, what was expected and received.
    """
    task = content.get("task")
    if isinstance(task, dict) and task.get("name") in TRANSFER:
        raise UserError(
            f"{name} is of a fine-tuning, and this command takes a pre-training. rotkeras export"
            " takes both; the page of a fine-tuning lies in its folder."
        )
    return validate_kind(Recipe, content, name, overrides)


def validate_kind(
    kind: type[AnyRecipe], content: dict[str, Any], name: str, overrides: Sequence[str] = ()
) -> AnyRecipe:
    """A recipe of a kind, of plain content; see `validate`."""
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        path, sentence = _sentence(error, kind)
        set_here = any(path == each or path.startswith(f"{each}.") for each in overrides)
        raise UserError(f"--set {sentence}" if set_here else f"{name}: {sentence}") from None


def _sentence(error: ValidationError, kind: type[Section]) -> tuple[str, str]:
    """Key path and sentence of the first mistake; unknown keys before wrong values, for they are
    often the cause."""
    mistakes = sorted(error.errors(), key=lambda each: each["type"] != "extra_forbidden")
    first = mistakes[0]
    location = first["loc"]
    path = ".".join(_without_tags(location)) or "recipe"
    see = "; see `rotkeras schema`"
    match first["type"]:
        case "extra_forbidden":
            hint = nearest(str(location[-1]), _fields(location[:-1], kind))
            of = f"not a key of {location[-2]}" if _is_tag(location, -2) else "not a known key"
            words = f"is {of}; {hint}"
        case "missing":
            words = f"is missing{see}"
        case "union_tag_not_found":
            words = f"must be a section with a name, got {received(first['input'])}{see}"
        case "model_type" | "model_attributes_type":
            words = f"must be a mapping of keys, got {received(first['input'])}{see}"
        case "string_type":
            words = f"{clause(first)}; put it in quotes"
        case _:
            words = clause(first)
    path += ".name" if first["type"] == "union_tag_invalid" else ""
    if key := getattr(first.get("ctx", {}).get("error"), "key", ""):
        path = f"{path}.{key}" if location else key
        words = words.removeprefix(f".{key} ")
    if (more := len(mistakes) - 1) > 0:
        words += f" ({more} more mistake{'s' if more > 1 else ''})"
    return path, complete(path, words)


def _without_tags(location: tuple[Any, ...]) -> list[str]:
    """A location in the file: pydantic puts the name of the chosen section after the key of it, and
    after an augmentation's number."""
    return [str(key) for position, key in enumerate(location) if not _is_tag(location, position)]


def _is_tag(location: tuple[Any, ...], position: int) -> bool:
    """Whether a part of a location is the name of a chosen section."""
    position %= len(location)
    before = location[position - 1] if position else None
    follows = before in ("schedule", "optimizer", "task", "backbone") or (
        isinstance(before, int) and location[0] == "augmentation"
    )
    return follows and location[position] in _TAGS


def _fields(location: Iterable[Any], kind: type[Section]) -> list[str]:
    """The keys that are valid at a location."""
    schema = kind.model_json_schema()
    place: Any = schema
    for key in location:
        place = _resolve(place, schema)
        options = place.get("discriminator", {}).get("mapping", {})
        if isinstance(key, int):
            place = place["items"]
        elif key in options:
            place = {"$ref": options[key]}
        else:
            place = place["properties"][key]
    return sorted(_resolve(place, schema).get("properties", {}))


def _resolve(place: Any, schema: Any) -> Any:
    # A section that may be null is one of two: itself, and nothing.
    sections = [each for each in place.get("anyOf", []) if "$ref" in each]
    if len(sections) == 1:
        place = sections[0]
    while "$ref" in place:
        place = schema["$defs"][place["$ref"].rsplit("/", 1)[-1]]
    return place


@checked
def dump(recipe: Section, header: str = "") -> str:
    """A recipe as YAML, every field resolved; `header` lines become comments at its top."""
    comments = "".join(f"# {line}\n" for line in header.splitlines())
    return comments + read.write(recipe.model_dump(mode="json"))
