"""The shortcut test for any task: the simple predictors on the views that the task makes."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rotkeras.arguments.accepted import ImageBatch, Seed
from rotkeras.arguments.accepted import Task as AnyTask
from rotkeras.arguments.checked import checked
from rotkeras.audit import readouts
from rotkeras.audit.lens import lens
from rotkeras.audit.meeting import meeting
from rotkeras.audit.predictors import Sight
from rotkeras.audit.shortcuts import ShortcutResult, check_count, result_of, sights
from rotkeras.data.augmentation import augmented
from rotkeras.data.keyed import Key
from rotkeras.errors import UserError
from rotkeras.pretext.shortcut_views import ROTATION, ShortcutViews

_CHUNK_BYTES = 2**25
_EXAMPLES = 12
"""Rows of views that are kept for the page."""
_SMALLEST_TILE = 6
"""Pixels of a side from which on two tiles have lines inside, as the control of `meeting` needs."""


@dataclass(frozen=True, eq=False)
class Question:
    """One thing that a task asks of its views, and how much the predictors tell of it.

    Attributes:
        asks: in words, see `ShortcutViews`.
        kind: "rotation", "classes", "parameters" or "pairs".
        classes: how many there are; for pairs, the images among which the nearest is looked for; 0
            for parameters.
        shape: (V, h, w) of the views of a row.
        results: of the predictors.
        examples: uint8 (k, V, h, w, 3), the first rows of views.
    """

    asks: str
    kind: str
    classes: int
    shape: tuple[int, int, int]
    results: list[ShortcutResult]
    examples: NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class _Asked:
    """What was kept of the views of all images: answers, and features of each predictor."""

    first: ShortcutViews
    sights: list[Sight]
    labels: NDArray[np.int64] | None
    parameters: NDArray[np.float64] | None
    features: list[NDArray[np.float64]]
    controls: list[NDArray[np.float64] | None]


@checked
def task_shortcuts(
    images: ImageBatch,
    task: AnyTask,
    augmentation: Sequence[Any] = (),
    seed: Seed = 0,
    progress: Callable[[int, int], None] | None = None,
) -> list[Question]:
    """Predict what a task asks of its views by small predictors, fitted on other images.

    Args:
        images: uint8 (n, S, S, 3), as training sees them; n at least 8.
        task: a pretext task with `shortcut_views`.
        augmentation: of the recipe, applied before the views are made.
        seed: of the views and of the halves.
        progress: called with (images seen, images in all).

    Returns:
        One `Question` for each thing that the task asks.

    Raises:
        UserError: for fewer than 8 images, a task without `shortcut_views`, and images that are too
            small for it.
    """
    check_has_views(task)
    check_count(images)
    parts: list[list[_Asked]] = []
    done = 0
    for some, views in _views(images, task, augmentation, seed):
        sights_of = [each.sights for each in parts[0]] if parts else [None] * len(views)
        parts.append(
            [_ask(each, some, known) for each, known in zip(views, sights_of, strict=True)]
        )
        done += some
        if progress:
            progress(done, len(images))
    return [_question(of_one, seed) for of_one in zip(*parts, strict=True)]


def check_has_views(task: Any) -> None:
    """Raise a `UserError` for a task that does not say what simple predictors must tell."""
    if not hasattr(task, "shortcut_views"):
        raise UserError(
            f"The task {type(task).__name__} cannot be searched for shortcuts: it needs the method"
            " shortcut_views(images, key); see docs/guides/check_images.md."
        )


def _views(
    images: NDArray[np.uint8], task: Any, augmentation: Sequence[Any], seed: int
) -> Iterator[tuple[int, tuple[ShortcutViews, ...]]]:
    """(number of images, their views), few images at a time: memory does not grow with n."""
    step = 8
    begin = 0
    while begin < len(images):
        rows = np.arange(begin, min(begin + step, len(images)), dtype=np.int64)
        key = Key(np.int64(seed), np.int64(0), rows, rows)
        views = tuple(task.shortcut_views(augmented(images[rows], key, augmentation), key))
        yield len(rows), views
        begin += len(rows)
        pixels = sum(each.views.size for each in views) / len(rows)
        step = max(1, int(_CHUNK_BYTES / (4 * max(pixels, 1.0))))


def _ask(views: ShortcutViews, images: int, known: list[Sight] | None) -> _Asked:
    """Features of the views of some images; rows of an image side by side."""
    if len(views.views) % images:
        raise UserError(
            f"shortcut_views must give the same number of rows for each of {images} images, got"
            f" {len(views.views)} rows."
        )
    # The predictors depend on the size of the views alone, but what was made for the first images
    # is kept, so that an edge of the batch cannot change it.
    found = sights_of(views) if known is None else known
    pixels = views.views.astype(np.float32)

    def seen(predictor: Any) -> NDArray[np.float64]:
        features = np.asarray(predictor(pixels), np.float64)
        lines = 2 if views.kind == "pairs" else len(views.views) // images
        return features.reshape(images, lines, -1)

    def of_image(answers: Any) -> Any:
        return None if answers is None else answers.reshape(images, -1, *answers.shape[1:])

    return _Asked(
        views,
        found,
        of_image(views.labels),
        of_image(views.parameters),
        [seen(sight.features) for sight in found],
        [None if sight.control is None else seen(sight.control) for sight in found],
    )


def sights_of(views: ShortcutViews) -> list[Sight]:
    """The predictors for the views of a task: each sees all V views of a row, and two tiles that
    may lie side by side also where they meet.

    Each maps float32 (n, V, h, w, 3) to float32 (n, D), the features of the first view before those
    of the second.
    """
    side = min(views.views.shape[2:4])
    found = [_of_each_view(sight) for sight in sights(side)]
    if side >= 4:
        found.append(_of_each_view(Sight("lens", "shifts of red and blue against green", lens)))
    if views.beside and side >= _SMALLEST_TILE:
        inset = side // 4
        found.append(
            Sight(
                "edge",
                "how the facing borders meet",
                meeting,
                lambda pairs: meeting(pairs, inset),
                f"lines {inset} pixels further inside",
            )
        )
    return found


def _of_each_view(sight: Sight) -> Sight:
    """The predictor of one view, applied to each view of a row."""

    def each(predictor: Any) -> Any:
        def features(rows: Any) -> Any:
            count = len(rows)
            return predictor(rows.reshape(-1, *rows.shape[2:])).reshape(count, -1)

        return features

    control = None if sight.control is None else each(sight.control)
    return Sight(sight.name, sight.sees, each(sight.features), control, sight.control_sees)


def _question(parts: Sequence[_Asked], seed: int) -> Question:
    """What the predictors tell, from the features of all images."""
    first = parts[0].first
    kind = ROTATION if first.asks == ROTATION else first.kind
    images = sum(len(each.features[0]) for each in parts)
    labels = _joined([each.labels for each in parts])
    parameters = _joined([each.parameters for each in parts])
    if first.kind == "classes":
        assert labels is not None
        classes = len(first.class_names)
        chance = float(np.bincount(labels.ravel(), minlength=classes).max() / labels.size)
    elif first.kind == "pairs":
        classes = readouts.candidates(images)
        chance = 1 / classes
    else:
        classes, chance = 0, 0.0

    def told(features: NDArray[np.float64]) -> NDArray[np.float64]:
        if labels is not None:
            return readouts.classified(features, labels, classes, seed)
        if parameters is not None:
            return readouts.explained(features, parameters, seed)
        return readouts.matched(features, seed)

    results = []
    for number, sight in enumerate(parts[0].sights):
        features = np.concatenate([each.features[number] for each in parts])
        control = _joined([each.controls[number] for each in parts])
        beside = None if control is None else told(control)
        results.append(
            result_of(sight, told(features), beside, asks=first.asks, kind=kind, chance=chance)
        )
    count, height, width = first.views.shape[1:4]
    examples = first.views[:_EXAMPLES].copy()
    return Question(first.asks, kind, classes, (count, height, width), results, examples)


def _joined(parts: Sequence[Any]) -> Any:
    return None if parts[0] is None else np.concatenate(parts)
