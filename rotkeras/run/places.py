"""Where the images of a run lie: keys of the recipe's section `data`, or of its `probe.data`."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from rotkeras.errors import UserError
from rotkeras.files import expanded
from rotkeras.recipe import Recipe
from rotkeras.recipe.files import apply_override
from rotkeras.recipe.images import LOCATIONS, Data
from rotkeras.text import Words, command_line

Locations = Mapping[str, str | os.PathLike[str] | None]
"""Where images lie: keys of a recipe's section `data`, such as {"folder": "photos"}, or of its
`probe.data`, such as {"probe.data.folder": "labelled"}."""

DATA, PROBE = "data", "probe.data"
"""The sections of a recipe that name images: of training, and labelled ones for probes."""
PATHS = {
    "folder": "The image folder",
    "test_folder": "The folder of test images",
    "list": "The list of images",
    "list_folder": "The folder of listed images",
    "validation_list": "The list of validation images",
    "test_list": "The list of test images",
    "arrays": "The array file",
    "data_dir": "The folder of tensorflow-datasets sets",
}


def parse_locations(overrides: Sequence[str]) -> dict[str, str | None]:
    """What `--set` says about where images lie: "data.folder=photos" is {"folder": "photos"},
    "data.cache=null" is {"cache": None}, and "probe.data.folder=labelled" keeps its whole key.

    Raises:
        UserError: for a key that says anything else.
    """
    found: dict[str, str | None] = {}
    for override in overrides:
        written, equals, _ = override.partition("=")
        of, _, name = written.strip().rpartition(".")
        if of not in (DATA, PROBE) or name not in LOCATIONS or not equals:
            allowed = ", ".join(f"data.{each}" for each in LOCATIONS)
            raise UserError(
                f"--set must name where the run's images are, one of {allowed}, or of the same keys"
                f" of probe.data, got {override}; everything else is fixed by the run."
            )
        content: dict[str, Any] = {}
        apply_override(content, override)
        value = (content["data"] if of == DATA else content["probe"]["data"])[name]
        if value is not None and not value.strip():
            raise UserError(f"--set {of}.{name} must not be empty, got {value!r}; give a path.")
        key = _key(of, name)
        found.pop(key, None)  # the last of several decides
        found[key] = value
    return found


def section_of(recipe: Recipe, of: str) -> Data:
    """The section "data" of a recipe, or its "probe.data", which must be there."""
    found = recipe.data if of == DATA else recipe.probe.data
    assert found is not None
    return found


def _key(of: str, name: str) -> str:
    """The key of `Locations` that stands for a key of a section."""
    return name if of == DATA else f"{of}.{name}"


def again(command: Words, of: str, name: str) -> str:
    """How to name another place: an option of a command, or an argument in Python."""
    if command:
        return f"{command_line(*command)} --set {of}.{name}=NEW"
    return f'data={{"{_key(of, name)}": "NEW"}}'


def places_then(record: dict[str, Any] | None, of: str) -> dict[str, Any]:
    """Where the images of a section lay in training; {} where that was not recorded."""
    return (record or {}).get("location" if of == DATA else "probe_location") or {}


def changes_of(
    data: Locations | None, of: str, has_probe_data: bool, command: Words
) -> dict[str, str | None]:
    """The locations as text, by the keys of one section; a `UserError` for anything else than paths
    and None, and for a key of the other section."""
    if data is not None and not isinstance(data, Mapping):
        raise UserError(f'data must be a mapping such as {{"folder": "photos"}}, got {data!r}.')
    found: dict[str, str | None] = {}
    for key, value in (data or {}).items():
        part, _, name = key.rpartition(".") if isinstance(key, str) else ("", "", "")
        part = part or DATA
        if name not in LOCATIONS or key != _key(part, name) or part not in (DATA, PROBE):
            raise UserError(
                f"The keys of data must say where images are: {', '.join(LOCATIONS)}, or one of"
                f" these after '{PROBE}.', got {key!r}."
            )
        if not isinstance(value, str | os.PathLike | None):
            raise UserError(f"data[{key!r}] must be a path or None, got {value!r}.")
        if part != of:
            raise UserError(_of_other_images(name, of, has_probe_data, command))
        found[name] = None if value is None else os.fspath(value)
    return found


def _of_other_images(name: str, of: str, has_probe_data: bool, command: Words) -> str:
    """Why a key of the other section than `of` is refused."""
    if of == PROBE:
        return (
            f"data.{name} says where the images of training are, but the features of this run are"
            f" evaluated on those of probe.data. If these have moved, name the new path:"
            f" {again(command, PROBE, name)}"
        )
    why = "here the images of training are read" if has_probe_data else "the run has no probe.data"
    return (
        f"probe.data.{name} says where labelled images for probes are, but {why}. Leave it out, or"
        f" name the place of the run's images: {again(command, DATA, name)}"
    )


def check_places(
    recipe: Recipe,
    record: dict[str, Any] | None,
    command: Words = (),
    wanted: Sequence[str] = tuple(PATHS),
    of: str = DATA,
) -> None:
    """Raise a `UserError` when a folder or file with images does not exist.

    Args:
        recipe: names the images.
        record: what the run recorded of its images, see `Run.recorded_images`.
        command: that the error names.
        wanted: the keys of the section whose paths must exist.
        of: the section, "data" or "probe.data".
    """
    data, before = section_of(recipe, of), places_then(record, of)
    for key in wanted:
        value = getattr(data, key)
        if value is None or expanded(value).exists():
            continue
        if key == "data_dir" and data.kind != "tfds":
            continue
        words = f"{'' if of == DATA else f'{of}: '}{PATHS[key]} {value!r} does not exist"
        if before.get(key, value) != value:
            words += f"; training read {before[key]!r}"
        raise UserError(
            f"{words}. If the images have moved, name the new path: {again(command, of, key)}"
        )


def location(data: Data) -> dict[str, str]:
    """Where the images of a section lie: the absolute path of each key that has one, and `tfds`."""
    found = {}
    for key in LOCATIONS:
        value = getattr(data, key)
        if value is not None:
            found[key] = value if key == "tfds" else str(expanded(value).absolute())
    return found
