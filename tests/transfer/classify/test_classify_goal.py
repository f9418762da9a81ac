"""What predictions of classes are worth, against hand arithmetic and scikit-learn."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest
from sklearn.metrics import confusion_matrix
from sklearn.utils.class_weight import compute_class_weight
from small_transfer import recipe, scored

from rotkeras.transfer.average_precision import multi_label_average_precision
from rotkeras.transfer.base import Labelled
from rotkeras.transfer.classify.goal import Classify, balanced, confusion, multi_label_crossentropy


def goal_of(**settings):
    made = recipe("classify")
    return Classify(made.task.model_copy(update=settings))


class Part(SimpleNamespace):
    def __len__(self):
        return len(self.labels)


@pytest.fixture(scope="module")
def labelled(labelled_sets):
    return goal_of().read(recipe("classify", labelled_sets["classify"]).data, 64, 0, print)


@pytest.fixture(scope="module")
def several(labelled_sets):
    goal = goal_of()
    return goal, goal.read(recipe("classify", labelled_sets["detect"]).data, 64, 0, print)


def test_accuracy_of_all_and_of_each_class():
    labels = np.array([0, 0, 0, 1, 1])
    scores = np.eye(3, dtype=np.float32)[[0, 0, 1, 1, 2]]
    goal = goal_of()
    result = scored(goal, scores, Part(labels=labels), ("a", "b", "c"))
    assert (result.score, result.images) == (3 / 5, 5)
    assert result.classes == {"a": 2 / 3, "b": 1 / 2, "c": None}
    drawn = scored(goal, scores, Part(labels=labels), ("a", "b", "c"), np.array([2, 2, 3, 0]))
    assert drawn.score == 2 / 4
    assert drawn.classes == {"a": 1 / 3, "b": 1.0, "c": None}
    assert goal.score.show(0.5) == "50.0 %"


def test_average_precision_of_several_classes(several):
    goal, _labelled = several
    assert goal.several
    assert goal.score.key == "map"
    labels = np.array([[1, -1], [-1, 1], [0, 1], [1, -1]], np.int8)
    scores = np.random.default_rng(0).random((4, 2)).astype(np.float32)
    result = scored(goal, scores, Part(labels=labels), ("a", "b"))
    each = multi_label_average_precision(scores, labels)
    assert result.score == pytest.approx(np.mean(each))
    assert list(result.classes.values()) == pytest.approx(each)
    rows = np.array([0, 0, 3])  # no image of the second class
    assert scored(goal, scores, Part(labels=labels), ("a", "b"), rows).classes["b"] is None
    nothing = scored(goal, scores[:1], Part(labels=np.full((1, 2), -1)), ("a", "b"))
    assert nothing.score == 0.0


def test_confusion_is_that_of_scikit_learn():
    random = np.random.default_rng(0)
    labels, found = random.integers(0, 4, 60), random.integers(0, 4, 60)
    np.testing.assert_array_equal(
        confusion(labels, found, 5), confusion_matrix(labels, found, labels=range(5))
    )


def test_balanced_weights_are_those_of_scikit_learn():
    labels = np.random.default_rng(0).choice(4, 80, p=[0.6, 0.2, 0.15, 0.05])
    expected = compute_class_weight("balanced", classes=np.arange(4), y=labels)
    np.testing.assert_allclose(balanced(labels, 4), expected, rtol=1e-6)
    np.testing.assert_allclose(balanced(labels, 5), [*expected, 1.0], rtol=1e-6)
    several = np.array([[1, 0], [1, 1], [1, -1]], np.int8)
    np.testing.assert_allclose(balanced(several, 2), [4 / 6, 4 / 2], rtol=1e-6)


def test_difficult_images_give_no_gradient():
    loss = multi_label_crossentropy(None)
    labels = keras.ops.convert_to_tensor(np.array([[1, 0], [-1, 0]], np.float32))
    low, high = (np.array([[0.7, each], [0.2, 1 - each]], np.float32) for each in (0.1, 0.9))
    assert float(loss(labels, low)) == float(loss(labels, high))
    assert float(loss(labels, low)) == pytest.approx(-np.mean(np.log([0.7, 0.8])), rel=1e-5)


def batches(goal, labelled, augmentation, seed=0):
    dataset = goal.batches(labelled, augmentation, 64, 4, seed)
    assert dataset.steps_per_epoch == len(labelled.train) // 4
    return [(np.asarray(x), np.asarray(y)) for x, y in dataset.dataset.take(2)]


def test_batches_pair_images_with_their_labels(labelled, several):
    for goal, each in ((goal_of(), labelled), several):
        images = each.train.images.take(slice(None))
        found = []
        for x, y in batches(goal, each, None):
            for one, label in zip(x, y, strict=True):
                (row,) = [row for row in range(8) if np.array_equal(images[row], one)]
                np.testing.assert_array_equal(label, each.train.labels[row])
                found.append(row)
        assert sorted(found) == list(range(8))


def test_batches_of_a_part_of_training(labelled):
    chosen = labelled.with_train(labelled.train.part(np.array([1, 4, 5, 7])))
    ((x, y),) = batches(goal_of(), chosen, None)[:1]
    images = chosen.train.images.take(slice(None))
    for one, label in zip(x, y, strict=True):
        (row,) = [row for row in range(4) if np.array_equal(images[row], one)]
        assert label == chosen.train.labels[row]


def test_augmented_batches_are_a_function_of_the_seed(labelled):
    augmentation = recipe("classify").augmentation
    first, again, other = (batches(goal_of(), labelled, augmentation, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first[0][0], again[0][0])
    assert not np.array_equal(first[0][0], other[0][0])


def test_files_predict_what_keras_predicts(fine_tuned, labelled):
    _, folder = fine_tuned["classify"]
    network = keras.models.load_model(folder / "model.keras")
    found = goal_of().predict(network, labelled.test, 64)
    path = folder / "export" / "classifier-float32.tflite"
    by_file, seconds = goal_of().predict_file(path, labelled.test, 64)
    np.testing.assert_allclose(by_file, found, atol=1e-5)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)
    assert len(seconds) == len(labelled.test) == 4
    assert min(seconds) > 0


def test_pictures_are_the_worst_errors(labelled):
    found = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.3, 0.7]])  # labels 0 0 1 1
    shown = goal_of().pictures(found, labelled.test, 64, labelled.class_names, 5)
    assert [caption for caption, _ in shown] == [
        "disc taken for square (80 %)",
        "square taken for disc (60 %)",
    ]
    np.testing.assert_array_equal(shown[0][1], labelled.test.images.take(slice(1, 2))[0])


def test_calibration_is_a_draw_of_training(labelled):
    drawn = goal_of().calibration(labelled.train, 64, 5, 0)
    assert (drawn.shape, drawn.dtype) == ((5, 64, 64, 3), np.uint8)
    known = {each.tobytes() for each in labelled.train.images.take(slice(None))}
    assert {each.tobytes() for each in drawn} <= known
    assert isinstance(labelled, Labelled)
