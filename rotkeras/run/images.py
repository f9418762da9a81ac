"""The images of a run: where they lie now, and whether they are those it was trained on."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rotkeras.data import Crops, Source, load
from rotkeras.data.digests import examples
from rotkeras.data.fingerprint import names_digest, source_difference, source_fingerprint
from rotkeras.errors import UserError
from rotkeras.files import as_text, expanded, read_json
from rotkeras.recipe import Recipe
from rotkeras.recipe.files import validate
from rotkeras.recipe.images import LISTS, SOURCES, Data
from rotkeras.run.folder import Run
from rotkeras.run.places import (
    DATA,
    PATHS,
    PROBE,
    again,
    changes_of,
    check_places,
    location,
    places_then,
    section_of,
)
from rotkeras.run.places import Locations as Locations
from rotkeras.text import Words

Tell = Callable[[str], None]

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


def recipe_of_images(
    run: Run,
    data: Locations | None = None,
    *,
    data_dir: str | None = None,
    command: Words = (),
    tell: Tell = silent,
    wanted: Sequence[str] = tuple(PATHS),
    labelled: bool = False,
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
        labelled: whether the images are meant that features are evaluated on, those of `probe.data`
            where the recipe has such; else those of training.

    Raises:
        UserError: for a key that does not say where these images lie, and for a path that does not
            exist.
    """
    content = run.load_recipe().model_dump()
    of = PROBE if labelled and content["probe"]["data"] is not None else DATA
    changes = changes_of(data, of, content["probe"]["data"] is not None, command)
    changes |= {} if data_dir is None else {"data_dir": data_dir}
    section = content["data"] if of == DATA else content["probe"]["data"]
    for key, value in changes.items():
        for other in SOURCES if key in SOURCES else ():  # one source replaces another
            section.pop(other, None)
        section[key] = value
    kinds = {"test_folder": ("folder",), "cache": ("folder", "list", "tfds")}
    kinds |= dict.fromkeys(LISTS, ("list",))
    for key, allowed in kinds.items():
        fits = any(section.get(kind) is not None for kind in allowed)
        if section.get(key) is not None and key not in changes and not fits:
            tell(f"{of}.{key} {section[key]!r} is not used: it needs {' or '.join(allowed)}")
            section[key] = None
    recipe = validate(content, str(run.recipe), [f"{of}.{key}" for key in changes])
    before = places_then(run.recorded_images(), of)
    moved = {}
    for key in (*PATHS, "cache"):
        value, there = getattr(section_of(recipe, of), key), before.get(key)
        if value is None or key in changes or not there or expanded(value).is_absolute():
            continue
        if not Path(value).exists() and Path(there).exists():
            moved[key] = there
            tell(f"{of}.{key} {value!r} does not exist here; reading {there!r}, as training did")
    found = section_of(recipe, of).model_copy(update=moved)
    if of == DATA:
        recipe = recipe.model_copy(update={"data": found})
    else:
        probe = recipe.probe.model_copy(update={"data": found})
        recipe = recipe.model_copy(update={"probe": probe})
    check_places(recipe, run.recorded_images(), command, wanted, of)
    return recipe


def record(recipe: Recipe, source: Source, labelled: Source | None = None) -> dict[str, Any]:
    """What a run records of its images: {"fingerprint", "location"}, for JSON, and {"probe",
    "probe_location", "probe_skipped"} of the images of `probe.data`, where there are such."""
    found: dict[str, Any] = {"fingerprint": source_fingerprint(source)}
    found["location"] = location(recipe.data)
    if labelled is None:
        return found
    found |= {"probe": source_fingerprint(labelled), "probe_skipped": len(labelled.skipped)}
    if recipe.probe.data is not None:  # else they were given in Python
        found["probe_location"] = location(recipe.probe.data)
    return found


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
    remedy = remedy or f"name the place of the run's images: {again(command, DATA, key)}"
    raise UserError(f"{words} Restore them, or {remedy}")


def check_names(
    run: Run, names: Sequence[str] | None, count: int, part: str = "source", of: str = DATA
) -> None:
    """Raise a `UserError` when images that were found, but not decoded, are not those of a run.

    Args:
        run: the run.
        names: of all images, relative to their folder, as `rotkeras.files.as_text` writes them; or
            None.
        count: how many there are, with files that cannot be read.
        part: "source", of which training and validation are parts, "train" of a folder with a
            folder for each part, or "test".
        of: the section that names them, "data" or "probe.data".
    """
    then = run.recorded_images() or {}
    fingerprint = then.get("fingerprint" if of == DATA else "probe")
    if fingerprint is None:
        return
    if part == "test":
        found = recorded_test(run) or {"images": None, "names": None}
    elif part == "train":
        drawn = section_of(run.load_recipe(), of).train_images is not None
        found = {"images": None, "names": None} if drawn else fingerprint["train"]
    else:
        found = {**fingerprint, "images": fingerprint["found"]}
    images, digest = found["images"], found["names"]
    if images is None:
        return
    if of == DATA:
        bad = len(((run.load_summary() or {}).get("images") or {}).get("skipped", ()))
    else:
        bad = then.get("probe_skipped", 0)
    if not images <= count <= images + bad:
        words = {"test": "test images", "train": "training images"}.get(part, "images")
        differs = f"{images:,} {words} then, {count:,} now"
    elif not bad and digest and names is not None and names_digest(names, written=True) != digest:
        differs = "the same number of images, but other file names"
    else:
        return
    whose = "images" if of == DATA else "images of probe.data"
    raise UserError(f"The {whose} have changed since this run began: {differs}.")


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
