"""The shortcut test: small predictors that may see only a border, a colour, a grid or a residue,
each beside its control."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rotkeras.arguments.accepted import ImageBatch, Seed
from rotkeras.arguments.checked import checked
from rotkeras.audit import predictors
from rotkeras.audit.predictors import Predictor, Sight
from rotkeras.audit.readouts import classified
from rotkeras.errors import must

SMALLEST = 24
"""Smallest side in pixels for all predictors; below it, mean colours alone."""
FEWEST = 8
"""Images that both tests need: each half is predicted by a fit on the other."""
_CHUNK_BYTES = 2**25


@dataclass(frozen=True)
class ShortcutResult:
    """How much one predictor tells of what a task asks.

    Attributes:
        name: of the predictor.
        sees: for people, what it sees.
        accuracy: share of the held-out views whose answer it tells, 0 … 1; of parameters, the share
            of their variance that it explains.
        margin: half of its 95 % interval over images.
        control: accuracy of the control, or None without one.
        control_sees: for people, what the control sees.
        excess: accuracy − control, on the same views.
        excess_margin: half of its 95 % interval over images.
        asks: what is told, see `rotkeras.pretext.ShortcutViews`.
        kind: "rotation", "classes", "parameters" or "pairs"; each has limits of its own.
        chance: accuracy of a predictor that sees nothing.
    """

    name: str
    sees: str
    accuracy: float
    margin: float
    control: float | None = None
    control_sees: str = ""
    excess: float | None = None
    excess_margin: float | None = None
    asks: str = "rotation"
    kind: str = "rotation"
    chance: float = 0.25


def sights(side: int) -> list[Sight]:
    """The predictors for views of `side` pixels a side."""
    depth = predictors.border_depth(side)
    middle = side // 4  # where the controls of the frame begin
    band = max(1, side // 6 - depth)
    pixels = "pixel" if depth == 1 else "pixels"
    found = [
        Sight(
            "border", f"the outer {depth} {pixels}",
            lambda views: predictors.frame(views, 0, depth),
            lambda views: predictors.frame(views, middle, depth), "a ring of that width halfway in",
        ),
        Sight(
            "mark", "the margin inside the border",
            lambda views: predictors.frame(views, depth, band),
            lambda views: predictors.frame(views, middle, band), "a ring of that width halfway in",
        ),
        Sight("colour", "mean colours of the quarters", predictors.colours),
        Sight("grid", "steps at every 8th pixel", lambda views: predictors.phases(views, 8)),
        Sight(
            "residue", "high-frequency residue", predictors.residue,
            lambda views: predictors.residue(views, 2), "the residue at half the size",
        ),
    ]  # fmt: skip
    # In small pictures the edge is where the thing itself is (of the digits the border tells 72 %,
    # the margin 73 %), and content has the scale of noise: no limit was measured there.
    return [sight for sight in found if side >= SMALLEST or sight.name == "colour"]


@checked
def shortcut_test(
    images: ImageBatch, seed: Seed = 0, progress: Callable[[int, int], None] | None = None
) -> list[ShortcutResult]:
    """Predict the rotation of images by each small predictor, fitted on other images.

    Args:
        images: uint8 (n, S, S, 3), exactly what the network would see; n at least 8.
        seed: of the two halves; each is predicted by a fit on the other.
        progress: called with (predictors done, predictors in all).

    Returns:
        One `ShortcutResult` per predictor: border, mark, colour, grid, residue; below 24 pixels a
        side colour alone.

    Raises:
        UserError: for fewer than 8 images.
    """
    check_count(images)
    found = []
    all_sights = sights(images.shape[1])
    for number, sight in enumerate(all_sights):
        right = correct_views(images, sight.features, seed)
        beside = None if sight.control is None else correct_views(images, sight.control, seed)
        found.append(result_of(sight, right, beside))
        if progress:
            progress(number + 1, len(all_sights))
    return found


def check_count(images: NDArray[np.uint8]) -> None:
    """Raise a `UserError` for fewer images than can be fitted and evaluated."""
    if len(images) < FEWEST:
        raise must(
            "images", f"be at least {FEWEST}", len(images), "one half is fitted on the other"
        )


def result_of(
    sight: Sight,
    right: NDArray[np.float64],
    beside: NDArray[np.float64] | None,
    **question: Any,
) -> ShortcutResult:
    """The result of one predictor.

    Args:
        sight: the predictor.
        right: (n,), how much it tells of each image.
        beside: (n,), the same of its control; None without one.
        question: `asks`, `kind` and `chance` of the result.
    """
    accuracy, margin = _mean(right)
    found = ShortcutResult(sight.name, sight.sees, accuracy, margin, **question)
    if beside is None:
        return found
    excess, excess_margin = _mean(right - beside)
    return replace(
        found,
        control=float(beside.mean()),
        control_sees=sight.control_sees,
        excess=excess,
        excess_margin=excess_margin,
    )


def correct_views(
    images: NDArray[np.uint8], predictor: Predictor, seed: int = 0
) -> NDArray[np.float64]:
    """The share of each image's four views whose angle a linear classifier of a predictor's
    features tells: (n,).

    The classifier is a ridge regression on the four angles, fitted on one half of the images and
    evaluated on the other.
    """
    features = np.stack([_features(images, turns, predictor) for turns in range(4)], axis=1)
    return classified(features, np.tile(np.arange(4), (len(images), 1)), 4, seed)


def _features(images: NDArray[np.uint8], turns: int, predictor: Predictor) -> NDArray[np.float64]:
    step = max(
        1, _CHUNK_BYTES // (12 * images.shape[1] ** 2)
    )  # memory does not grow with the number of images
    parts = [
        predictor(np.rot90(images[start : start + step], turns, (1, 2)).astype(np.float32))
        for start in range(0, len(images), step)
    ]
    return np.concatenate(parts).astype(np.float64)


def _mean(values: NDArray[np.float64]) -> tuple[float, float]:
    """Mean and half of its 95 % interval; the images are the independent draws, not their four
    views."""
    return float(values.mean()), float(1.96 * values.std(ddof=1) / np.sqrt(len(values)))
