"""The images of a run: where they lie now, and whether they are those it was trained on."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rotkeras.data import Crops, Source, load
from rotkeras.data.digests import examples
from rotkeras.data.fingerprint import names_digest, source_difference, source_fingerprint
from rotkeras.errors import UserError
from rotkeras.files import as_text, expanded, read_json
from rotkeras.recipe import Recipe
from rotkeras.recipe.files import apply_override, validate
from rotkeras.recipe.images import LISTS, LOCATIONS, SOURCES, Data
from rotkeras.run.folder import Run
from rotkeras.text import Words, command_line

Locations = Mapping[str, str | os.PathLike[str] | None]
"""Where images lie: keys of a recipe's section `data`, such as {"folder": "photos"}."""

Tell = Callable[[str], None]

_PATHS = {
    "folder": "The image folder",
    "test_folder": "The folder of test images",
    "list": "The list of images",
    "list_folder": "The folder of listed images",
    "validation_list": "The list of validation images",
    "test_list": "The list of test images",
    "arrays": "The array file",
    "data_dir": "The folder of tensorflow-datasets sets",
}
NEW_RUN = "start a new run with --run-dir."
NOT_RECORDED = "This run was made before images were recorded, so they cannot be compared."


def silent(_line: str) -> None:
    """Tell nobody."""


def load_source(recipe: Recipe, progress: Any = None, **changes: Any) -> Source:
    """The images of a recipe.

    Args:
        recipe: names the images.
        progress: called with (images read, images in all).
        changes: keys of the section `data` that are to have another value.
    """
    return load_section(recipe.data, progress, changes)


def load_section(data: Data, progress: Any, changes: dict[str, Any]) -> Source:
    """The images of a section `data`, with other values of some of its keys."""
    settings = data.model_dump(exclude={*map(str, SOURCES), "crops"}) | changes
    if data.crops is not None:
        settings["crops"] = Crops(**data.crops.model_dump())
    return load(getattr(data, data.kind), kind=data.kind, progress=progress, **settings)


def load_run_images(
    run: Run,
    data: Locations | None = None,
    *,
    data_dir: str | None = None,
    command: Words = (),
    tell: Tell = silent,
    progress: Any = None,
) -> Source:
    """Load the images of a run and check that they are those it was trained on.

    Args:
        run: a run with a recipe.
        data: where the images lie now, if they have moved: {"folder": "photos"}, or one of the
            other keys "arrays", "tfds", "data_dir", "cache" and "test_folder". None reads them
            where the recipe says, or where training read them.
        data_dir: the same as {"data_dir": …}.
        command: that errors name, such as ["rotkeras", "evaluate", "runs/one"].
        tell: called with a line when images are read elsewhere than the recipe says, and for a run
            whose images were not recorded.
        progress: called with (images read, images in all).

    Raises:
        UserError: for images that do not exist, or are not those of the run.
    """
    recipe = recipe_of_images(run, data, data_dir=data_dir, command=command, tell=tell)
    try:
        source = load_source(recipe, progress)
    except UserError as error:
        then = run.recorded_images()
        if then is None:
            raise
        count = then["fingerprint"]["train"]["images"]
        raise UserError(f"{error} This run was trained on {count:,} images.") from None
    check_images(run, source, command=command, tell=tell)
    return source


def parse_locations(overrides: Sequence[str]) -> dict[str, str | None]:
    """What `--set` says about where images lie: "data.folder=photos" is {"folder": "photos"}, and
    "data.cache=null" is {"cache": None}.

    Raises:
        UserError: for a key that says anything else.
    """
    found: dict[str, str | None] = {}
    for override in overrides:
        key, equals, _ = override.partition("=")
        section, _, name = key.strip().partition(".")
        if section != "data" or name not in LOCATIONS or not equals:
            allowed = ", ".join(f"data.{each}" for each in LOCATIONS)
            raise UserError(
                f"--set must name where the run's images are, one of {allowed}, got {override};"
                " everything else is fixed by the run."
            )
        content: dict[str, Any] = {}
        apply_override(content, override)
        found.pop(name, None)  # the last of several decides
        value = content["data"][name]
        if value is not None and not value.strip():
            raise UserError(f"--set data.{name} must not be empty, got {value!r}; give a path.")
        found[name] = value
    return found


def recipe_of_images(
    run: Run,
    data: Locations | None = None,
    *,
    data_dir: str | None = None,
    command: Words = (),
    tell: Tell = silent,
    wanted: Sequence[str] = tuple(_PATHS),
) -> Recipe:
    """The recipe of a run, with the place where its images lie now.

    A relative path that does not exist is looked for where it was in training.

    Args:
        run: a run with a recipe.
        data: see `load_run_images`.
        data_dir: the same as {"data_dir": …}.
        command: that errors name.
        tell: called with a line when images are read elsewhere than the recipe says.
        wanted: the keys whose paths must exist.

    Raises:
        UserError: for a key that does not say where images lie, and for a path that does not exist.
    """
    changes = _checked(data) | ({} if data_dir is None else {"data_dir": data_dir})
    content = run.load_recipe().model_dump()
    section = content["data"]
    for key, value in changes.items():
        for other in SOURCES if key in SOURCES else ():  # one source replaces another
            section.pop(other, None)
        section[key] = value
    kinds = {"test_folder": ("folder",), "cache": ("folder", "list", "tfds")}
    kinds |= dict.fromkeys(LISTS, ("list",))
    for key, allowed in kinds.items():
        fits = any(section.get(kind) is not None for kind in allowed)
        if section.get(key) is not None and key not in changes and not fits:
            tell(f"data.{key} {section[key]!r} is not used: it needs {' or '.join(allowed)}")
            section[key] = None
    recipe = validate(content, str(run.recipe), [f"data.{key}" for key in changes])
    before = (run.recorded_images() or {}).get("location") or {}
    moved = {}
    for key in (*_PATHS, "cache"):
        value, there = getattr(recipe.data, key), before.get(key)
        if value is None or key in changes or not there or expanded(value).is_absolute():
            continue
        if not Path(value).exists() and Path(there).exists():
            moved[key] = there
            tell(f"data.{key} {value!r} does not exist here; reading {there!r}, as training did")
    recipe = recipe.model_copy(update={"data": recipe.data.model_copy(update=moved)})
    check_places(recipe, run.recorded_images(), command, wanted)
    return recipe


def _checked(data: Locations | None) -> dict[str, str | None]:
    """The locations as text; a `UserError` for anything else than paths and None."""
    if data is not None and not isinstance(data, Mapping):
        raise UserError(f'data must be a mapping such as {{"folder": "photos"}}, got {data!r}.')
    found: dict[str, str | None] = {}
    for key, value in (data or {}).items():
        if key not in LOCATIONS:
            raise UserError(
                f"The keys of data must say where images are: {', '.join(LOCATIONS)}, got {key!r}."
            )
        if not isinstance(value, str | os.PathLike | None):
            raise UserError(f"data[{key!r}] must be a path or None, got {value!r}.")
        found[key] = None if value is None else os.fspath(value)
    return found


def check_places(
    recipe: Recipe,
    record: dict[str, Any] | None,
    command: Words = (),
    wanted: Sequence[str] = tuple(_PATHS),
) -> None:
    """Raise a `UserError` when a folder or file with images does not exist.

    Args:
        recipe: names the images.
        record: what the run recorded of its images, see `Run.recorded_images`.
        command: that the error names.
        wanted: the keys of the section `data` whose paths must exist.
    """
    before = (record or {}).get("location") or {}
    for key in wanted:
        value = getattr(recipe.data, key)
        if value is None or expanded(value).exists():
            continue
        if key == "data_dir" and recipe.data.kind != "tfds":
            continue
        words = f"{_PATHS[key]} {value!r} does not exist"
        if before.get(key, value) != value:
            words += f"; training read {before[key]!r}"
        how = (
            f"{command_line(*command)} --set data.{key}=NEW"
            if command
            else f'data={{"{key}": "NEW"}}'
        )
        raise UserError(f"{words}. If the images have moved, name the new path: {how}")


def location(recipe: Recipe) -> dict[str, str]:
    """Where a recipe's images lie: the absolute path of each key that has one, and `tfds`."""
    found = {}
    for key in LOCATIONS:
        value = getattr(recipe.data, key)
        if value is not None:
            found[key] = value if key == "tfds" else str(expanded(value).absolute())
    return found


def record(recipe: Recipe, source: Source, labelled: Source | None = None) -> dict[str, Any]:
    """What a run records of its images: {"fingerprint", "location"}, for JSON, and "probe", the
    fingerprint of the images of `probe.data`, where there are such."""
    found = {"fingerprint": source_fingerprint(source), "location": location(recipe)}
    return found if labelled is None else {**found, "probe": source_fingerprint(labelled)}


def check_images(
    run: Run,
    source: Source,
    *,
    command: Words = (),
    remedy: str = "",
    tell: Tell = silent,
    resized: bool = False,
) -> None:
    """Raise a `UserError` unless a source gives the images that a run was trained on.

    Args:
        run: the run.
        source: its images, as they are now.
        command: that the error names, to be given the place of the run's images.
        remedy: what the error advises instead, such as "start a new run with --run-dir.".
        tell: called with a line for a run whose images were not recorded.
        resized: whether the images were read at another size than in training; then their pixels
            are not compared.
    """
    then = run.recorded_images()
    of_probe = None if then is None or resized else then.get("probe")
    if of_probe and source_difference(of_probe, source_fingerprint(source)) is None:
        return  # those of `probe.data`
    if then is not None:
        check_record(then, source, command, remedy, resized, run)
    elif run.model.exists() or run.state.exists():
        tell(NOT_RECORDED)


def check_record(
    then: dict[str, Any],
    source: Source,
    command: Words = (),
    remedy: str = "",
    resized: bool = False,
    run: Run | None = None,
) -> None:
    """The same with what a run recorded, see `Run.recorded_images`; the error names some of the
    images that differ where `run` has kept their digests."""
    differs = source_difference(then["fingerprint"], source_fingerprint(source), not resized)
    if not differs:
        return
    if run is not None:
        differs += examples(
            run.digests, source, differs.startswith("the same") and "pixels" in differs
        )
    where = then["location"]
    kind = next((key for key in ("folder", "list", "arrays", "tfds") if key in where), None)
    there, key = where.get(kind), "data_dir" if kind == "tfds" else kind or "folder"
    words = (
        f"The images have changed since this run began: {differs} ({as_text(source.name)}"
        f"{f'; training read {as_text(there)}' if there else ''})."
    )
    again = f"{command_line(*command)} --set data.{key}=NEW"
    option = again if command else f'data={{"{key}": "NEW"}}'
    remedy = remedy or f"name the place of the run's images: {option}"
    raise UserError(f"{words} Restore them, or {remedy}")


def check_names(run: Run, names: Sequence[str] | None, count: int, part: str = "source") -> None:
    """Raise a `UserError` when images that were found, but not decoded, are not those of a run.

    Args:
        run: the run.
        names: of all images, relative to their folder, as `rotkeras.files.as_text` writes them; or
            None.
        count: how many there are, with files that cannot be read.
        part: "source", of which training and validation are parts, "train" of a folder with a
            folder for each part, or "test".
    """
    then = run.recorded_images()
    if then is None:
        return
    if part == "test":
        found = recorded_test(run) or {"images": None, "names": None}
    elif part == "train":
        drawn = run.load_recipe().data.train_images is not None
        found = {"images": None, "names": None} if drawn else then["fingerprint"]["train"]
    else:
        found = {**then["fingerprint"], "images": then["fingerprint"]["found"]}
    images, digest = found["images"], found["names"]
    if images is None:
        return
    bad = len(((run.load_summary() or {}).get("images") or {}).get("skipped", ()))
    if not images <= count <= images + bad:
        words = {"test": "test images", "train": "training images"}.get(part, "images")
        differs = f"{images:,} {words} then, {count:,} now"
    elif not bad and digest and names is not None and names_digest(names, written=True) != digest:
        differs = "the same number of images, but other file names"
    else:
        return
    raise UserError(f"The images have changed since this run began: {differs}.")


def recorded_test(run: Run) -> dict[str, Any] | None:
    """The fingerprint of the test set that `evaluation.json` recorded, or None."""
    try:
        found: dict[str, Any] = read_json(run.path / "evaluation.json")["images"][
            "test_fingerprint"
        ]
        found["images"], found["names"]
        return found
    except (OSError, ValueError, LookupError, TypeError):
        return None
