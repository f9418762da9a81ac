"""How good detections are: average precision as VOC and COCO define it."""

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rotkeras.device.boxes import Detections, overlaps
from rotkeras.errors import must
from rotkeras.transfer.average_precision import area_average_precision, voc07_average_precision
from rotkeras.transfer.detect.boxes import Boxes


@dataclass(frozen=True, eq=False)
class BoxScores:
    """Average precisions of a detector.

    Attributes:
        per_class: float64 (C,), 0 … 1; NaN for a class without objects.
        mean: of the classes with objects; NaN where none has any.
        without: names of the classes without objects, which the mean leaves out.
    """

    per_class: NDArray[np.float64]
    mean: float
    without: tuple[str, ...]


@dataclass(frozen=True)
class CocoScores:
    """COCO's average precisions, 0 … 1; NaN where there is no object to find.

    Attributes:
        average: the mean of IoU 0.50, 0.55, …, 0.95: COCO's AP.
        at_50: of IoU 0.50.
        at_75: of IoU 0.75.
        small: `average` of objects below 32² pixels of the photograph.
        medium: of those below 96².
        large: of the others.
    """

    average: float
    at_50: float
    at_75: float
    small: float
    medium: float
    large: float


def evaluate(
    found: Sequence[Detections],
    truth: Sequence[Boxes],
    class_names: Sequence[str],
    iou: float = 0.5,
    *,
    area: bool = False,
) -> BoxScores:
    """Average precision of each class by the rules of VOC's development kit.

    Detections of a class are taken by falling score. Each is held against the object of its image
    that it overlaps most. It is right if they overlap by `iou` and the object was not found before,
    wrong otherwise; if the object is difficult, it counts as neither.

    Args:
        found: of each image.
        truth: of each image, in the same order: `BoxedImages.boxes`.
        class_names: C.
        iou: least intersection over union.
        area: whether it is the area under the curve rather than VOC 2007's eleven points.

    Raises:
        UserError: for another number of images found than of truth.

    Reference:
        Everingham et al., The PASCAL VOC Challenge 2007 Development Kit, section 8.
    """
    _check_images(found, truth)
    classes = len(class_names)
    judged = [judge(each, boxes, classes, iou) for each, boxes in zip(found, truth, strict=True)]
    return average(judged, class_names, area=area)


@dataclass(frozen=True, eq=False)
class Judged:
    """What the detections of an image are worth. Each image is judged alone, so scores of other
    draws of images need no second look.

    Attributes:
        scores: of each class, float64 (n,) of the detections that count.
        right: of each class, bool (n,).
        positives: int64 (C,), the objects to find.
    """

    scores: tuple[NDArray[np.float64], ...]
    right: tuple[NDArray[np.bool_], ...]
    positives: NDArray[np.int64]


def judge(found: Detections, truth: Boxes, classes: int, iou: float = 0.5) -> Judged:
    """Judge the detections of an image, as `evaluate` describes it.

    Args:
        found: in the image.
        truth: its objects.
        classes: C.
        iou: least intersection over union.
    """
    each = [_judged(found, truth, number, iou) for number in range(classes)]
    positives = np.bincount(truth.classes[~truth.difficult], minlength=classes)
    return Judged(tuple(scores for scores, _ in each), tuple(right for _, right in each), positives)


def average(
    judged: Sequence[Judged], class_names: Sequence[str], *, area: bool = False
) -> BoxScores:
    """Average precision of each class over judged images, and their mean; arguments as of
    `evaluate`."""
    measure = area_average_precision if area else voc07_average_precision
    per_class = np.array(
        [
            measure(
                np.concatenate([np.zeros(0), *(each.scores[number] for each in judged)]),
                np.concatenate([np.zeros(0, bool), *(each.right[number] for each in judged)]),
                int(sum(each.positives[number] for each in judged)),
            )
            for number in range(len(class_names))
        ]
    )
    there = ~np.isnan(per_class)
    without = tuple(name for name, known in zip(class_names, there, strict=True) if not known)
    mean = float(per_class[there].mean()) if there.any() else float("nan")
    return BoxScores(per_class, mean, without)


def coco_map(
    found: Sequence[Detections], truth: Sequence[Boxes], class_names: Sequence[str]
) -> CocoScores:
    """COCO's average precisions, by pycocotools. A difficult object is taken for a crowd; the area
    of an object is that of its box.

    Args:
        found: of each image.
        truth: of each image, in the same order: `BoxedImages.boxes`.
        class_names: C.

    Raises:
        UserError: for another number of images found than of truth.

    Reference:
        Lin et al., Microsoft COCO: Common Objects in Context, ECCV 2014, and
        https://cocodataset.org/#detection-eval.
    """
    _check_images(found, truth)
    from pycocotools.cocoeval import COCOeval

    objects = [
        {**entry, "iscrowd": int(hard)}
        for image, boxes in enumerate(truth, 1)
        for entry, hard in zip(_entries(image, boxes), boxes.difficult, strict=True)
    ]
    finds = [
        {**entry, "score": float(score), "iscrowd": 0}
        for image, each in enumerate(found, 1)
        for entry, score in zip(_entries(image, each), each.scores, strict=True)
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        judge = COCOeval(
            _as_coco(objects, len(truth), class_names),
            _as_coco(finds, len(truth), class_names),
            "bbox",
        )
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    return CocoScores(*(float(each) if each >= 0 else float("nan") for each in judge.stats[:6]))


def _check_images(found: Sequence[Detections], truth: Sequence[Boxes]) -> None:
    if len(found) != len(truth):
        raise must("found", f"have one entry for each of the {len(truth):,} images", len(found))


def _judged(
    found: Detections, truth: Boxes, number: int, iou: float
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """(scores, whether each is right) of the detections of a class that count, the best first."""
    scores: list[float] = []
    right: list[bool] = []
    mine = np.flatnonzero(found.classes == number)
    mine = mine[np.argsort(-found.scores[mine], kind="stable")]
    theirs = np.flatnonzero(truth.classes == number)
    shared = overlaps(found.corners[mine], truth.corners[theirs])
    taken: set[int] = set()
    for row, score in zip(shared, found.scores[mine].tolist(), strict=True):
        best = int(row.argmax()) if len(row) else -1
        met = best >= 0 and row[best] >= iou
        if met and truth.difficult[theirs[best]]:
            continue
        scores.append(score)
        right.append(bool(met and best not in taken))
        if met:
            taken.add(best)
    return np.array(scores, np.float64), np.array(right, bool)


def _entries(image: int, boxes: Boxes | Detections) -> list[dict[str, object]]:
    """COCO's annotations, whose numbers of images and categories begin at 1."""
    corners = np.asarray(boxes.corners, np.float64)
    return [
        {
            "image_id": image,
            "category_id": int(number) + 1,
            "bbox": [left, top, right - left, bottom - top],
            "area": (right - left) * (bottom - top),
        }
        for (left, top, right, bottom), number in zip(corners.tolist(), boxes.classes, strict=True)
    ]


def _as_coco(entries: list[dict[str, object]], images: int, class_names: Sequence[str]) -> object:
    """pycocotools' set of annotations. An id of 0 would read as no match."""
    from pycocotools.coco import COCO

    made = COCO()
    made.dataset = {
        "images": [{"id": number} for number in range(1, images + 1)],
        "categories": [{"id": number, "name": name} for number, name in enumerate(class_names, 1)],
        "annotations": [{**entry, "id": number} for number, entry in enumerate(entries, 1)],
    }
    made.createIndex()
    return made
