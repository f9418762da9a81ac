"""What to do next with a run: commands that work for it."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rotkeras.errors import UserError
from rotkeras.text import command_line

if TYPE_CHECKING:
    from rotkeras.recipe import Recipe
    from rotkeras.run.folder import Run


def next_steps(run: "Run", summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(command, what it does) for a run that has ended."""
    from rotkeras.training import devices

    library = devices.backend()
    before = "" if library == "tensorflow" else f"KERAS_BACKEND={library} "
    if summary["probes"]["trained"]:
        evaluate = command_line("rotkeras", "evaluate", run.path)
        return [(f"{before}{evaluate}", "accuracy of the features, with more probes")]
    if run.load_recipe().data.crops is not None:  # the photographs are not what it trained on
        line = command_line("rotkeras", "evaluate", run.path, "--labelled", "IMAGES")
        return [(f"{before}{line}", "accuracy of the features on labelled images")]
    images, options = _images(run)
    steps: list[tuple[str, tuple[str | Path, ...], str, str]] = [
        ("neighbours", (images, images), "neighbours.png", "which images are similar"),
        ("embed", (images,), "features.npz", "a feature vector for each image"),
    ]
    if run.load_recipe().encoder.pooling == "none":  # its maps are no vectors
        if "--data-dir" in options:  # which `rotkeras attend` does not take
            return []
        steps, options = [("attend", (images,), "maps", "attention maps")], []
    found = []
    for command, inputs, name, what in steps:
        file = run.path / name
        replace = ["--overwrite"] if file.exists() else []
        line = command_line("rotkeras", command, run.path, *inputs, "-o", file, *options, *replace)
        found.append((f"{before}{line}", what))
    return found


def places_as_options(
    places: Mapping[str, str | None] | None, data_dir: str | None = None
) -> list[str]:
    """`--set` and `--data-dir` as they were given, for a command that reads the same images."""
    found = []
    for key, value in (places or {}).items():
        name = key if "." in key else f"data.{key}"
        found += ["--set", f"{name}={'null' if value is None else value}"]
    return found + ([] if data_dir is None else ["--data-dir", data_dir])


def _images(run: "Run") -> tuple[str | Path, list[str]]:
    """The run's images as `rotkeras neighbours` and `embed` take them, and their options."""
    from rotkeras.run.images import recipe_of_images

    recipe: Recipe = run.load_recipe()
    try:
        data = recipe_of_images(run).data  # where they are now
    except UserError:
        data = recipe.data
    if data.kind == "folder":
        return Path(str(data.folder)), []
    if data.kind == "list":
        begin = [] if data.list_folder is None else ["--list-folder", data.list_folder]
        return Path(str(data.list)), begin
    if data.kind == "arrays":
        return Path(str(data.arrays)), ["--resize"]
    if data.kind == "embedded":
        return f"embedded:{data.embedded}", ["--resize"]
    where = [] if data.data_dir is None else ["--data-dir", data.data_dir]
    return f"tfds:{data.tfds}", ["--resize", *where]
