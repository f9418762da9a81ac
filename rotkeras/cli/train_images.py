"""The images of a recipe, loaded with a bar that shows how long it takes."""

from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from rotkeras.data.source import Source
from rotkeras.recipe import Recipe


def load_images(console: Console, recipe: Recipe) -> Source:
    """The images to train on."""
    from rotkeras.run.images import load_source

    what = "reading images" if recipe.data.crops is None else "making crops"
    source: Source = _with_bar(console, what, lambda progress: load_source(recipe, progress))
    return source


def load_labelled(console: Console, recipe: Recipe, source: Source) -> Source | None:
    """The images of `probe.data`; None without such a section."""
    from rotkeras.images import as_size
    from rotkeras.run.probe_images import load_probe_images

    size = as_size(*source.image_shape[:2])
    labelled: Source | None = _with_bar(
        console,
        "reading images to probe",
        lambda progress: load_probe_images(recipe, size, progress),
    )
    return labelled


def _with_bar(console: Console, what: str, load: Callable[[Any], Any]) -> Any:
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task("", total=None)
        return load(lambda done, total: bar.update(task, completed=done, total=total))
