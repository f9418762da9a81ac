"""What predicted masks are worth, and that files give what Keras gives."""

import keras
import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import jaccard_score
from small_transfer import drawn, numbers, recipe, scored

from rotkeras.transfer.segment.goal import Segment, count_pixels, enlarged

NAMES = ("ground", "disc", "square")


@pytest.fixture(scope="module")
def goal():
    return Segment(recipe("segment").task)


@pytest.fixture(scope="module")
def labelled(goal, labelled_sets):
    return goal.read(recipe("segment", labelled_sets["segment"]).data, 64, 0, print)


def truth(part="test"):
    return [drawn(number)[3] for name, number in numbers() if name == part]


def noisy():
    random = np.random.default_rng(0)
    return [
        np.where(random.random(each.shape) < 0.3, random.integers(0, 3, each.shape), each).astype(
            np.uint8
        )
        for each in truth()
    ]


def test_the_set_is_read_as_it_was_drawn(labelled):
    assert labelled.class_names == NAMES
    for row, mask in enumerate(truth("train")):
        np.testing.assert_array_equal(labelled.train.mask(row), mask)


def test_it_is_the_jaccard_score_of_all_pixels(goal, labelled):
    found = noisy()
    result = scored(goal, found, labelled.test, NAMES)
    pixels = [np.concatenate([each.ravel() for each in masks]) for masks in (truth(), found)]
    expected = jaccard_score(*pixels, average=None, labels=[0, 1, 2])
    assert list(result.classes.values()) == pytest.approx(expected)
    assert result.score == pytest.approx(expected.mean())
    accuracy = (pixels[0] == pixels[1]).mean()
    details = goal.details(found, labelled.test, NAMES)
    assert details == pytest.approx({"pixel accuracy": accuracy})
    assert scored(goal, truth(), labelled.test, NAMES).score == 1.0


def test_positions_choose_and_may_repeat(goal, labelled):
    found = noisy()
    result = scored(goal, found, labelled.test, NAMES, np.array([1, 1, 0]))
    chosen = [1, 1, 0]
    pixels = [np.concatenate([masks[row].ravel() for row in chosen]) for masks in (truth(), found)]
    expected = jaccard_score(*pixels, average=None, labels=[0, 1, 2])
    assert list(result.classes.values()) == pytest.approx(expected)
    assert result.images == 3
    squares = np.array([row for row, mask in enumerate(truth()) if 1 not in mask])
    assert scored(goal, truth(), labelled.test, NAMES, squares).classes["disc"] is None


def test_small_predictions_are_enlarged_to_the_photographs(goal, labelled):
    (top, left) = enlarged(np.array([[0, 1], [2, 1]], np.uint8), np.zeros((6, 8), np.uint8))[::5, 0]
    assert (top, left) == (0, 2)
    small = [
        np.asarray(Image.fromarray(mask).resize((64, 64), Image.Resampling.NEAREST))
        for mask in truth()
    ]
    result = scored(goal, small, labelled.test, NAMES)
    assert 0.9 < result.score < 1.0


def test_pixels_are_counted_by_class(labelled):
    expected = np.bincount(np.concatenate([each.ravel() for each in truth("train")]), minlength=3)
    np.testing.assert_array_equal(count_pixels(labelled.train, 3), expected)


def test_batches_hold_the_masks_of_the_photographs(goal, labelled):
    dataset = goal.batches(labelled, recipe("segment").augmentation, 64, 4, 0)
    assert dataset.steps_per_epoch == 2
    for images, masks in dataset.dataset.take(2):
        assert (images.shape, masks.shape) == ((4, 64, 64, 3), (4, 64, 64))
        for image, mask in zip(np.asarray(images), np.asarray(masks), strict=True):
            # Discs are red and squares blue, and colours of the photographs are in between.
            for name, channel in ((1, 0), (2, 2)):
                if (mask == name).sum() > 50:
                    inside = image[mask == name].astype(float).mean(axis=0)
                    assert inside.argmax() == channel


def test_files_give_what_keras_gives(fine_tuned, goal, labelled):
    _, folder = fine_tuned["segment"]
    network = keras.models.load_model(folder / "model.keras")
    found = goal.predict(network, labelled.test, 64)
    path = folder / "export" / "segmenter-float32.tflite"
    by_file, seconds = goal.predict_file(path, labelled.test, 64)
    assert len(seconds) == 4
    assert found[0].shape == (64, 64)
    assert np.mean([one == other for one, other in zip(found, by_file, strict=True)]) > 0.999


def test_pictures_are_the_least_accurate_first(goal, labelled):
    found = [np.full((64, 64), 0, np.uint8) for _ in range(4)]
    found[2] = np.full((64, 64), 2, np.uint8)
    shown = goal.pictures(found, labelled.test, 64, NAMES, 2)
    assert len(shown) == 2
    assert shown[0][0].startswith(f"{labelled.test.names[2]}: photograph, truth, prediction; ")


def test_balanced_weights_are_used(goal, labelled):
    class Model:
        def compile(self, optimizer, loss):
            self.loss = loss

    model = Model()
    goal.compile(model, None, recipe("segment", class_weights="balanced").train, labelled)
    counts = count_pixels(labelled.train, 3)
    assert model.loss.class_weights == pytest.approx(counts.sum() / (3 * counts), rel=1e-5)
    goal.compile(model, None, recipe("segment").train, labelled)
    assert isinstance(model.loss, keras.losses.SparseCategoricalCrossentropy)
