"""What predictions of boxes are worth, and that files give what Keras gives."""

import keras
import numpy as np
import pytest
from small_transfer import SHAPES, drawn, numbers, recipe, scored, strided

from rotkeras.device.boxes import Detections
from rotkeras.transfer.detect.goal import Detect
from rotkeras.transfer.detect.pictures import FALSE, HIT, MISS
from rotkeras.transfer.finetune import set_frozen


@pytest.fixture(scope="module")
def goal():
    return Detect(recipe("detect").task)


@pytest.fixture(scope="module")
def labelled(goal, labelled_sets):
    return goal.read(recipe("detect", labelled_sets["detect"]).data, 64, 0, print)


def perfect(part):
    """What a detector that makes no mistake finds."""
    return [
        Detections(each.corners.copy(), each.classes.copy(), np.full(len(each), 0.9, np.float32))
        for each in part.boxes
    ]


def none():
    return Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.int64), np.zeros(0, np.float32))


def test_the_set_is_read_as_it_was_drawn(labelled):
    assert labelled.class_names == SHAPES
    assert (len(labelled.train), len(labelled.validation), len(labelled.test)) == (8, 4, 4)
    drawn_train = [drawn(number)[2] for part, number in numbers() if part == "train"]
    np.testing.assert_array_equal([each.corners[0] for each in labelled.train.boxes], drawn_train)


def test_all_found_is_one_and_misses_are_counted(goal, labelled):
    part = labelled.test
    found = perfect(part)
    result = scored(goal, found, part, SHAPES)
    assert (result.score, result.images) == (1.0, 4)
    assert result.classes == {"disc": 1.0, "square": 1.0}
    assert goal.details(found, part, SHAPES) == pytest.approx(
        {"COCO AP": 1.0, "COCO AP at IoU 0.5": 1.0, "COCO AP at IoU 0.75": 1.0}
    )
    (row,) = [row for row in range(4) if part.boxes[row].classes[0] == 1][:1]
    found[row] = none()
    result = scored(goal, found, part, SHAPES)
    assert result.classes["disc"] == 1.0
    assert result.classes["square"] == pytest.approx(6 / 11)  # recall of a half


def test_positions_choose_and_may_repeat(goal, labelled):
    part = labelled.test
    found = perfect(part)
    found[2] = none()
    discs = np.array([row for row in range(4) if part.boxes[row].classes[0] == 0])
    assert scored(goal, found, part, SHAPES, discs).classes["square"] is None
    whole = scored(goal, found, part, SHAPES, np.arange(4))
    assert whole.score == scored(goal, found, part, SHAPES).score
    again = scored(goal, found, part, SHAPES, np.array([2, 2, 2]))
    assert (again.score, again.images) == (0.0, 3)
    assert scored(goal, found, part, SHAPES, np.array([], int)).score == 0.0


def test_batches_hold_the_boxes_of_the_photographs(goal, labelled):
    dataset = goal.batches(labelled, None, 64, 4, 0)
    assert dataset.steps_per_epoch == 2
    seen = []
    scale = np.array([64 / 80, 64 / 60, 64 / 80, 64 / 60])
    known = {tuple(np.round(each.corners[0] * scale, 2)) for each in labelled.train.boxes}
    for images, targets in dataset.dataset.take(2):
        assert (images.shape, images.dtype) == ((4, 64, 64, 3), "uint8")
        assert targets["boxes"].shape == (4, 1, 4)
        for corners, name in zip(targets["boxes"], targets["classes"], strict=True):
            seen.append(tuple(np.round(np.array(corners[0], np.float64), 2)))
            assert float(name[0]) in (0, 1)
    assert set(seen) == known


def test_files_give_what_keras_gives(loud_detector, goal, labelled):
    network = keras.models.load_model(loud_detector / "model.keras")
    found = goal.predict(network, labelled.test, 64)
    by_file, seconds = goal.predict_file(
        loud_detector / "detector-float32.tflite", labelled.test, 64
    )
    assert len(seconds) == len(found) == 4
    for one, other in zip(found, by_file, strict=True):
        assert len(one) > 0
        np.testing.assert_allclose(np.sort(one.scores), np.sort(other.scores), atol=1e-5)
        np.testing.assert_allclose(one.corners[:3], other.corners[:3], atol=0.05)
        assert one.corners.max() <= 80  # in pixels of the photograph
        assert one.corners.max() > 64


def test_pictures_show_hits_misses_and_false_finds(goal, labelled):
    part = labelled.test
    found = perfect(part)
    found[1] = none()
    wrong = found[3]
    found[3] = Detections(wrong.corners, 1 - wrong.classes, wrong.scores)
    shown = goal.pictures(found, part, 64, SHAPES, 12)
    captions = [caption.split(": ")[1] for caption, _ in shown]
    assert captions == [
        "0 found, 1 missed, 1 false",
        "0 found, 1 missed, 0 false",
        "1 found, 0 missed, 0 false",
        "1 found, 0 missed, 0 false",
    ]

    def holds(picture, colour):
        return bool((picture == np.array(colour, np.uint8)).all(axis=-1).any())

    colours = [[holds(picture, each) for each in (HIT, MISS, FALSE)] for _, picture in shown]
    # A wrong name is drawn at the place of the miss, and what was missed over it.
    assert colours[1:] == [[False, True, False], [True, False, False], [True, False, False]]
    assert max(shown[0][1].shape) == 360
    few = goal.pictures(found, part, 64, SHAPES, 2)
    assert [caption for caption, _ in few] == [shown[0][0], shown[-1][0]]


def test_calibration_is_a_draw_of_training(goal, labelled):
    drawn_images = goal.calibration(labelled.train, 64, 16, 0)
    assert (drawn_images.shape, drawn_images.dtype) == ((8, 64, 64, 3), np.uint8)


def test_a_frozen_detector_trains_pyramid_and_heads_alone(goal, labelled):
    model = goal.build(strided(), labelled, (64, 64, 3), 0)
    everything = len(model.trainable_variables)
    set_frozen(model, goal.head(model), True)
    trained = {each.path.split("/")[-2] for each in model.trainable_variables}
    assert trained
    assert all(each.startswith(("pyramid_", "boxes_", "classes_")) for each in trained)
    assert not any(layer.trainable for layer in model.backbone.layers)
    set_frozen(model, goal.head(model), False)
    assert len(model.trainable_variables) == everything
