"""Average precision, against hand arithmetic, VOC's rules and pycocotools."""

import numpy as np
import pytest

from rotkeras.device.boxes import Detections
from rotkeras.errors import UserError
from rotkeras.transfer.average_precision import (
    area_average_precision,
    multi_label_average_precision,
    voc07_average_precision,
)
from rotkeras.transfer.detect.boxes import Boxes
from rotkeras.transfer.detect.metrics import coco_map, evaluate

NAMES = ("a", "b")


def truth(*rows):
    """Rows are (class, left, top, right, bottom, difficult)."""
    table = np.array(rows, np.float64).reshape(-1, 6)
    return Boxes(
        table[:, 1:5].astype(np.float32), table[:, 0].astype(np.int64), table[:, 5].astype(bool)
    )


def found(*rows):
    """Rows are (class, left, top, right, bottom, score)."""
    table = np.array(rows, np.float64).reshape(-1, 6)
    return Detections(
        table[:, 1:5].astype(np.float32),
        table[:, 0].astype(np.int64),
        table[:, 5].astype(np.float32),
    )


def test_eleven_points_and_area_by_hand():
    # By falling score: right, wrong, right, of 4 positives. Precisions 1, 1/2, 2/3 at recalls 1/4,
    # 1/4, 1/2. Eleven points: 1 at 0, 0.1, 0.2; 2/3 at 0.3, 0.4, 0.5; 0 above. Area: a quarter of 1
    # and a quarter of 2/3.
    scores, right = np.array([0.5, 0.9, 0.7]), np.array([True, True, False])
    assert voc07_average_precision(scores, right, 4) == pytest.approx((3 + 3 * 2 / 3) / 11)
    assert area_average_precision(scores, right, 4) == pytest.approx(1 / 4 + 2 / 3 / 4)


def test_area_takes_the_best_precision_at_a_recall_or_above():
    # wrong, right, right of 2: precisions 0, 1/2, 2/3; both steps of recall are worth 2/3.
    scores, right = np.array([0.9, 0.8, 0.7]), np.array([False, True, True])
    assert area_average_precision(scores, right, 2) == pytest.approx(2 / 3)
    assert voc07_average_precision(scores, right, 2) == pytest.approx(2 / 3)


def test_a_recall_of_three_tenths_reaches_the_point_at_three_tenths():
    scores, right = np.array([0.9, 0.8, 0.7]), np.ones(3, bool)
    assert voc07_average_precision(scores, right, 10) == pytest.approx(4 / 11)


@pytest.mark.parametrize("measure", [voc07_average_precision, area_average_precision])
def test_nothing_found_and_nothing_to_find(measure):
    assert measure(np.zeros(0), np.zeros(0, bool), 3) == 0
    assert np.isnan(measure(np.ones(1), np.zeros(1, bool), 0))
    assert measure(np.arange(5.0), np.ones(5, bool), 5) == 1


def test_voc_rules_by_hand():
    objects = truth((0, 0, 0, 10, 10, 0), (0, 20, 0, 30, 10, 0), (0, 40, 0, 50, 10, 1))
    finds = found(
        (0, 0, 0, 10, 10, 0.9),  # right
        (0, 1, 0, 10, 10, 0.8),  # IoU 0.9 with an object that is found: wrong
        (0, 40, 0, 50, 10, 0.7),  # of a difficult one: neither
        (0, 41, 0, 50, 10, 0.65),  # again: neither
        (0, 20, 0, 30, 5, 0.6),  # IoU 0.5 exactly: right
        (1, 20, 0, 30, 10, 0.5),  # another class, without objects
    )
    scores = evaluate([finds], [objects], NAMES)
    # right, wrong, right of 2: precision 1 up to recall 1/2, 2/3 above.
    assert scores.per_class[0] == pytest.approx((6 + 5 * 2 / 3) / 11)
    assert np.isnan(scores.per_class[1])
    assert scores.mean == scores.per_class[0]
    assert scores.without == ("b",)
    area = evaluate([finds], [objects], NAMES, area=True)
    assert area.mean == pytest.approx(1 / 2 + 2 / 3 / 2)
    # One pixel row less, and it is wrong: right, wrong, wrong of 2.
    low = found((0, 0, 0, 10, 10, 0.9), (0, 1, 0, 10, 10, 0.8), (0, 20, 0, 30, 4.9, 0.6))
    assert evaluate([low], [objects], NAMES).mean == pytest.approx(6 / 11)
    assert evaluate([low], [objects], NAMES, iou=0.49).mean == scores.mean


def test_a_detection_is_held_against_what_it_overlaps_most():
    # The second detection overlaps both objects by more than 0.5, and most the one that is found.
    objects = truth((0, 0, 0, 10, 10, 0), (0, 3, 0, 13, 10, 0))
    finds = found((0, 0, 0, 10, 10, 0.9), (0, 1, 0, 11, 10, 0.8))
    # right, wrong of 2.
    assert evaluate([finds], [objects], ("a",)).mean == pytest.approx(6 / 11)


def test_inclusive_pixels_of_voc_are_edges():
    # VOC's own formula, with + 1: (1 … 10) and (6 … 15) share 5 of 15 columns.
    objects, finds = truth((0, 0, 0, 10, 10, 0)), found((0, 5, 0, 15, 10, 0.9))
    assert evaluate([finds], [objects], ("a",), iou=5 / 15).mean == 1
    assert evaluate([finds], [objects], ("a",), iou=5 / 15 + 1e-6).mean == 0


def test_images_are_ranked_together():
    objects = [truth((0, 0, 0, 10, 10, 0)), truth(), truth((0, 0, 0, 10, 10, 0))]
    finds = [found((0, 0, 0, 10, 10, 0.5)), found((0, 0, 0, 10, 10, 0.7)), found()]
    # wrong (an image without objects), right; of 2.
    assert evaluate(finds, objects, ("a",)).mean == pytest.approx(6 / 11 / 2)
    with pytest.raises(UserError, match="one entry for each of the 3 images, got 1"):
        evaluate(finds[:1], objects, ("a",))
    with pytest.raises(UserError, match="one entry for each of the 3 images, got 1"):
        coco_map(finds[:1], objects, ("a",))


def drawn(count, seed):
    """Objects that are far apart, and finds: most near an object, some twice, some nowhere."""
    random = np.random.default_rng(seed)
    objects, finds = [], []
    for _ in range(count):
        rows, seen = [], []
        for cell in random.permutation(9)[: random.integers(0, 6)]:
            begin = np.array([cell % 3, cell // 3]) * 200 + random.uniform(0, 40, 2)
            box = np.concatenate(
                [begin, begin + random.choice([20, 60, 140]) * random.uniform(0.8, 1, 2)]
            )
            number = random.integers(2)
            rows.append((number, *box, 0))
            for _ in range(random.integers(0, 3)):
                moved = box + random.normal(0, 0.08, 4) * (box[2] - box[0])
                seen.append((number, *moved, random.random()))
        if random.random() < 0.5:
            seen.append((random.integers(2), 600, 600, 640, 650, random.random()))
        objects.append(truth(*rows))
        finds.append(found(*seen))
    return finds, objects


@pytest.mark.parametrize("seed", [0, 1])
def test_pycocotools_agrees_at_an_overlap_of_one_half(seed, capsys):
    finds, objects = drawn(80, seed)
    area = evaluate(finds, objects, NAMES, area=True)
    coco = coco_map(finds, objects, NAMES)
    assert 0.3 < area.mean < 0.95
    # COCO takes 101 points of the curve instead of its area.
    assert coco.at_50 == pytest.approx(area.mean, abs=0.01)
    at_75 = evaluate(finds, objects, NAMES, 0.75, area=True).mean
    assert coco.at_75 == pytest.approx(at_75, abs=0.01)
    every = [
        evaluate(finds, objects, NAMES, 0.5 + 0.05 * step, area=True).mean for step in range(10)
    ]
    assert coco.average == pytest.approx(np.mean(every), abs=0.01)
    assert all(0 <= each <= 1 for each in (coco.small, coco.medium, coco.large))
    assert capsys.readouterr().out == ""


def test_coco_by_hand():
    # A small object that is found exactly, a medium one at IoU 0.6, a crowd that is found, and
    # nothing large. At 0.5, 0.55 and 0.6 both are right; above, the first of two (51 of 101
    # points, with recall 1/2).
    objects = truth((0, 0, 0, 20, 20, 0), (0, 100, 0, 150, 50, 0), (0, 200, 0, 300, 100, 1))
    finds = found((0, 0, 0, 20, 20, 0.9), (0, 210, 0, 260, 50, 0.8), (0, 100, 0, 150, 30.01, 0.7))
    scores = coco_map([finds], [objects], ("a",))
    assert scores.at_50 == pytest.approx(1)
    assert scores.at_75 == pytest.approx(51 / 101)
    assert scores.average == pytest.approx((3 + 7 * 51 / 101) / 10)
    assert scores.small == pytest.approx(1)
    assert scores.medium == pytest.approx(0.3)
    assert np.isnan(scores.large)


def test_coco_of_nothing_found_and_nothing_to_find():
    objects = [truth((0, 0, 0, 20, 20, 0))]
    assert coco_map([found()], objects, NAMES).average == 0
    assert np.isnan(coco_map([found((0, 0, 0, 9, 9, 0.5))], [truth()], NAMES).average)
    assert np.isnan(coco_map([found()], [truth()], NAMES).average)
    assert np.isnan(evaluate([found()], [truth()], NAMES).mean)


def test_classes_of_images_by_hand():
    scores = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.6, 0.4]])
    # Class 0: right, (difficult), wrong, right of 2: precision 1 up to recall 1/2, 2/3 above.
    # Class 1 has no positive.
    labels = np.array([[1, -1], [0, -1], [-1, 0], [1, -1]])
    found = multi_label_average_precision(scores, labels)
    assert found[0] == pytest.approx((6 + 5 * 2 / 3) / 11)
    assert np.isnan(found[1])
    with pytest.raises(UserError, match=r"labels must have the shape \(n, C\) of the scores"):
        multi_label_average_precision(scores, labels[:, :1])
