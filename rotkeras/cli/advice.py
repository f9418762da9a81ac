"""What to do next with a run: commands that work for it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rotkeras.text import command_line

if TYPE_CHECKING:
    from rotkeras.recipe import Recipe
    from rotkeras.run import Run


def next_steps(run: "Run", summary: dict[str, Any]) -> list[tuple[str, str]]:
    """(command, what it does) for a run that has ended."""
    found = []
    if summary["probes"]["trained"]:
        found.append((command_line("rotkeras", "evaluate", run.path), "the accuracies to report"))
    else:
        images, options = _images(run.load_recipe())
        sheet = run.path / "neighbours.png"
        found.append(
            (
                command_line(
                    "rotkeras", "neighbours", run.path, images, images, "-o", sheet, *options
                ),
                "which images the encoder finds similar",
            )
        )
    return found


def _images(recipe: "Recipe") -> tuple[str | Path, list[str]]:
    """The run's images as `rotkeras neighbours` takes them, and the options they need."""
    data = recipe.data
    if data.kind == "folder":
        return Path(str(data.folder)), []
    if data.kind == "arrays":
        return Path(str(data.arrays)), ["--resize"]
    if data.kind == "embedded":
        return f"embedded:{data.embedded}", ["--resize"]
    where = [] if data.data_dir is None else ["--data-dir", data.data_dir]
    return f"tfds:{data.tfds}", ["--resize", *where]


def about_choice(best: dict[str, Any], images: int) -> list[str]:
    """Whether the tap of the encoder was chosen by more than chance: lines of at most 90 columns;
    none where it was."""
    rivals = best.get("rivals", [])
    if best.get("arbitrary"):
        return [
            (
                f"The choice of tap {best['tap']} is arbitrary: on {images:,} validation images the"
                " taps do not"
            ),
            (
                "differ by more than chance. The second tap is the default; more validation images"
                " decide."
            ),
        ]
    if len(rivals) > 1:
        others = ", ".join(tap for tap in rivals if tap != best["tap"])
        return [
            f"On {images:,} validation images {best['tap']} cannot be distinguished from {others}."
        ]
    return []
