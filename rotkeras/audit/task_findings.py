"""Findings of the shortcut test for any task: what gives the answer away, and which setting of the
task takes it away."""

from collections.abc import Sequence
from typing import Any

from rotkeras.audit.questions import Question
from rotkeras.audit.report import Finding
from rotkeras.audit.shortcuts import ShortcutResult
from rotkeras.audit.verdicts import is_shortcut

_SIGNS = {
    "border": "the outer pixels alone reveal",
    "mark": "something near the edge that is always in the same place, such as a stamp, reveals",
    "colour": "mean colours alone reveal",
    "grid": "the block grid of JPEG reveals",
    "residue": "noise, sharpening, a codec or the lens reveals",
    "lens": "chromatic aberration, the shift of red and blue against green, reveals",
    "edge": "lines and colours that run on from one tile into the next reveal",
}

_SETTINGS: dict[tuple[str, str], dict[str, str]] = {
    ("classes", "edge"): {
        "gap": "set task.gap to 0.25 or more",
        "jitter": "set task.jitter to 1.0",
        "standardize": "set task.standardize to true",
    },
    ("classes", "lens"): {
        "grayscale": "set task.grayscale to 1.0",
        "color_dropping": "set task.color_dropping to 1.0",
    },
    ("classes", "colour"): {
        "standardize": "set task.standardize to true",
        "grayscale": "set task.grayscale to 1.0",
    },
    ("classes", "residue"): {"grayscale": "set task.grayscale to 1.0"},
    ("pairs", "colour"): {
        "color_strength": "set task.color_strength to 0.5 or more",
        "grayscale": "set task.grayscale to 0.2 or more",
    },
    ("pairs", "border"): {"crop_scale": "set task.crop_scale to [0.08, 0.6]"},
    ("pairs", "mark"): {"crop_scale": "set task.crop_scale to [0.08, 0.6]"},
    ("pairs", "grid"): {"blur": "set task.blur to 1.0"},
    ("pairs", "residue"): {
        "blur": "set task.blur to 1.0",
        "crop_scale": "set task.crop_scale to [0.08, 0.6]",
    },
    ("pairs", "lens"): {"grayscale": "set task.grayscale to 1.0"},
    ("pairs", "edge"): {"crop_scale": "set task.crop_scale to [0.08, 0.6]"},
}
"""Countermeasures by kind of question and predictor: {setting of the task: what to do}. Those of a
task are named that has the setting."""

_FILES = {
    "border": "crop bars, frames and edges off the files",
    "mark": "crop or paint it over in the files",
    "colour": "remove the gradient or tint from the files",
    "grid": "use the originals instead of recompressed copies, and resize them by"
    " data.image_size: {smaller}",
    "residue": "resize the images by data.image_size: {smaller}",
    "lens": "add augmentation: [{{name: random_grayscale, probability: 1.0}}]",
    "edge": "leave a gap between the tiles",
}
"""Countermeasures outside of the task, which any task has."""


def find_of_task(questions: Sequence[Question], task: Any, size: int) -> list[Finding]:
    """What gives the task's answers away.

    Args:
        questions: of `task_shortcuts`.
        task: whose settings take shortcuts away.
        size: pixels of each side of the images.
    """
    return [
        Finding(each.name, _what(each), _fix(each, task, size))
        for question in questions
        for each in _causes(question.results)
    ]


def _causes(results: Sequence[ShortcutResult]) -> list[ShortcutResult]:
    """The shortcuts among the results, without those that another explains: frame and edge see the
    same pixels; colours and residues shift where red and blue do; and where two views show the
    same place, all that is in them is the same."""
    found = {each.name: each for each in results if is_shortcut(each)}
    outer = [found[name] for name in ("border", "mark", "edge") if name in found]
    if outer:
        most = max(outer, key=lambda each: each.excess or 0.0)
        if most.kind == "pairs":
            return [most]
        found = {name: each for name, each in found.items() if each not in outer or each is most}
    if "lens" in found and found["lens"].kind == "classes":
        found.pop("residue", None)
    return list(found.values())


def _what(result: ShortcutResult) -> str:
    beside = ""
    if result.control is not None and result.excess_margin is not None:
        beside = (
            f", {100 * (result.excess or 0.0):.1f} ± {100 * result.excess_margin:.1f} points more"
            f" than {result.control_sees}"
        )
    measure = f"{100 * result.accuracy:.1f} ± {100 * result.margin:.1f} %"
    if result.kind == "parameters":
        told = f"{measure} of the variance, where a blind guess explains none"
    else:
        told = f"{measure}, chance is {100 * result.chance:.1f} %"
    return f"{_SIGNS[result.name]} the {result.asks} ({result.sees}: {told}{beside})"


def _fix(result: ShortcutResult, task: Any, size: int) -> str:
    kind = "classes" if result.kind == "rotation" else result.kind
    settings = _SETTINGS.get((kind, result.name), {})
    ways = [words for name, words in settings.items() if hasattr(task, name)]
    smaller = max(8, size * 2 // 3 // 8 * 8)
    if not ways or result.name in ("border", "mark", "grid"):
        ways.append(_FILES[result.name].format(smaller=smaller))
    return ", or ".join(ways)
