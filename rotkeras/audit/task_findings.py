"""Findings of the shortcut test for any task: what gives the answer away, and which setting of the
task takes it away."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True)
class _Remedy:
    """A setting of a task that takes a shortcut away.

    Attributes:
        setting: its name.
        value: what to set it to, in words.
        enough: whether a value does so already; then something else must be the cause.
    """

    setting: str
    value: str
    enough: Callable[[Any], bool]

    def advice(self, task: Any) -> str:
        """What to set in a recipe; "" for a task that has no such setting, or enough of it."""
        place, owner = "task", task
        if not hasattr(task, self.setting) and hasattr(task, "base_settings"):  # E-SSL
            place, owner = "task.base_settings", task.task
        if not hasattr(owner, self.setting) or self.enough(getattr(owner, self.setting)):
            return ""
        return f"set {place}.{self.setting} to {self.value}"


def _at_least(setting: str, least: float, value: str = "") -> _Remedy:
    return _Remedy(setting, value or f"{least} or more", lambda now: bool(now >= least))


_GAP, _JITTER = _at_least("gap", 0.25), _at_least("jitter", 1.0, "1.0")
_STANDARDIZE = _Remedy("standardize", "true", bool)
_GREY, _DROPPING = _at_least("grayscale", 1.0, "1.0"), _at_least("color_dropping", 1.0, "1.0")
_COLOR = _at_least("color_strength", 0.5)
_SOME_GREY, _BLUR = _at_least("grayscale", 0.2), _at_least("blur", 1.0, "1.0")
_CROP = _Remedy("crop_scale", "[0.08, 0.6]", lambda now: bool(now[1] <= 0.6))

_SETTINGS: dict[tuple[str, str], tuple[_Remedy, ...]] = {
    ("classes", "edge"): (_GAP, _JITTER, _STANDARDIZE),
    ("classes", "lens"): (_GREY, _DROPPING),
    ("classes", "colour"): (_STANDARDIZE, _GREY),
    ("classes", "residue"): (_GREY,),
    ("pairs", "colour"): (_COLOR, _SOME_GREY, _CROP),
    ("pairs", "border"): (_CROP,),
    ("pairs", "mark"): (_CROP,),
    ("pairs", "grid"): (_BLUR, _CROP),
    ("pairs", "residue"): (_BLUR, _CROP),
    ("pairs", "lens"): (_GREY, _CROP),
}
"""Countermeasures by kind of question and predictor. Those are named that a task lacks."""

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
        excess = 100 * (result.excess or 0.0)
        beside = (
            f", {abs(excess):.1f} ± {100 * result.excess_margin:.1f} points"
            f" {'less' if excess < 0 else 'more'} than {result.control_sees}"
        )
    measure = f"{100 * result.accuracy:.1f} ± {100 * result.margin:.1f} %"
    if result.kind == "parameters":
        told = f"{measure} of the variance, where a blind guess explains none"
    else:
        told = f"{measure}, chance is {100 * result.chance:.1f} %"
    return f"{_SIGNS[result.name]} the {result.asks} ({result.sees}: {told}{beside})"


def _fix(result: ShortcutResult, task: Any, size: int) -> str:
    kind = "classes" if result.kind == "rotation" else result.kind
    remedies = _SETTINGS.get((kind, result.name), ())
    ways = [advice for remedy in remedies if (advice := remedy.advice(task))]
    smaller = max(8, size * 2 // 3 // 8 * 8)
    if not ways or result.name in ("border", "mark", "grid"):
        ways.append(_FILES[result.name].format(smaller=smaller))
    return ", or ".join(ways)
