"""Exported classifiers, detectors and segmenters, as a device uses them."""

import subprocess
import sys

import keras
import numpy as np
import pytest
from small_transfer import SHAPES, drawn, recipe

from rotkeras.device import Classifier, Detector, Segmenter
from rotkeras.device.task_file import NAME as TASK_FILE
from rotkeras.errors import UserError
from rotkeras.export.any_network import convert_network
from rotkeras.export.metadata import Description, add_metadata
from rotkeras.transfer.run import goal_of
from rotkeras.transfer.segment.goal import enlarged

KINDS = {"classify": Classifier, "detect": Detector, "segment": Segmenter}


@pytest.fixture(scope="session")
def files(fine_tuned, loud_detector):
    """Task -> its float32 file."""
    return {
        "classify": fine_tuned["classify"][1] / "export" / "classifier-float32.tflite",
        "detect": loud_detector / "detector-float32.tflite",
        "segment": fine_tuned["segment"][1] / "export" / "segmenter-float32.tflite",
    }


def goal_and_test(task, labelled_sets):
    """The goal of a task, and the test part of its drawn set."""
    made = recipe(task, labelled_sets[task])
    goal = goal_of(made)
    return goal, goal.read(made.data, 64, 0, print).test


def paths_of(part):
    return list(part.paths)


def test_a_classifier_agrees_with_its_goal(files, labelled_sets):
    goal, part = goal_and_test("classify", labelled_sets)
    classifier = Classifier(files["classify"])
    assert (classifier.class_names, classifier.several) == (SHAPES, False)
    assert classifier.input_size == 64
    expected, _ = goal.predict_file(files["classify"], part, 64)
    paths = sorted((labelled_sets["classify"] / "test").rglob("*.png"))
    found = classifier.classify(paths)
    np.testing.assert_allclose(found.probabilities, expected, atol=1e-6)
    assert list(found.names) == [SHAPES[each] for each in expected.argmax(axis=1)]
    assert found.probabilities.dtype == np.float32
    images = part.images.take(slice(None))
    np.testing.assert_array_equal(classifier.classify(images).probabilities, found.probabilities)
    one = classifier.classify(str(paths[0]))
    np.testing.assert_array_equal(one.probabilities, found.probabilities[:1])
    mixed = classifier.classify([images[1], paths[0]])
    np.testing.assert_array_equal(mixed.probabilities, found.probabilities[[1, 0]])


def test_a_detector_agrees_with_its_goal(files, labelled_sets):
    goal, part = goal_and_test("detect", labelled_sets)
    detector = Detector(files["detect"], threads=1)
    assert (detector.class_names, detector.input_size) == (SHAPES, 64)
    expected, _ = goal.predict_file(files["detect"], part, 64)
    found = detector.detect(paths_of(part), least_score=0.05)
    assert len(found) == len(expected) == 4
    for one, other in zip(found, expected, strict=True):
        assert 0 < len(one) <= len(other)
        np.testing.assert_array_equal(one.corners, other.corners[: len(one)])
        np.testing.assert_array_equal(one.classes, other.classes[: len(one)])
    few = detector.detect(part.paths[0], least_score=0.4)[0]
    assert (few.scores > 0.4).all()
    assert len(few) < len(found[0])
    apart = detector.detect(part.paths[0], least_score=0.05, iou=0.01)[0]
    assert len(apart) < len(found[0])


def test_a_segmenter_agrees_with_its_goal(files, labelled_sets):
    goal, part = goal_and_test("segment", labelled_sets)
    segmenter = Segmenter(files["segment"])
    assert segmenter.class_names == ("ground", *SHAPES)
    expected, _ = goal.predict_file(files["segment"], part, 64)
    found = segmenter.segment(paths_of(part))
    for one, other in zip(found, expected, strict=True):
        assert (one.shape, one.dtype) == ((60, 80), np.uint8)
        np.testing.assert_array_equal(one, enlarged(other, np.zeros((60, 80), np.uint8)))


@pytest.mark.parametrize("task", ["detect", "segment"])
def test_arrays_of_any_size_and_photographs_that_exif_turns(task, files, tmp_path):
    kind = KINDS[task](files[task])
    run = kind.detect if task == "detect" else kind.segment
    picture = drawn(3, 120, 90)[0]
    picture.save(tmp_path / "upright.png")
    exif = picture.getexif()
    exif[0x0112] = 6  # to be turned clockwise to be upright
    picture.rotate(90, expand=True).save(tmp_path / "turned.png", exif=exif)
    upright, turned, array = run(
        [tmp_path / "upright.png", tmp_path / "turned.png", np.asarray(picture)]
    )
    (wide,) = run(np.asarray(drawn(4)[0].resize((200, 33))))
    if task == "segment":
        assert upright.shape == turned.shape == array.shape == (90, 120)
        assert wide.shape == (33, 200)
        # Filters differ: a file is turned when it is small, and arrays are resized by Pillow.
        assert (upright == turned).mean() > 0.97
        assert (upright == array).mean() > 0.97
        return
    for other in (turned, array):
        np.testing.assert_allclose(upright.corners[0], other.corners[0], atol=1)
        assert upright.scores[0] == pytest.approx(other.scores[0], abs=0.01)
    if len(wide):
        assert wide.corners[:, 2].max() <= 200
        assert wide.corners[:, 3].max() <= 33


def refused(call):
    with pytest.raises(UserError) as error:
        call()
    message = str(error.value)
    assert "\n" not in message
    assert message.endswith(".")
    return message


@pytest.mark.parametrize("task", KINDS)
def test_wrong_files_are_one_sentence(task, files, exported, tmp_path):
    kind = KINDS[task]
    for other in set(KINDS) - {task}:
        message = refused(lambda other=other: kind(files[other]))
        assert f"is a file to {other}; give one that `rotkeras finetune {task}` exported" in message
    message = refused(lambda: kind(exported / "orient.tflite"))
    assert f"is no fine-tuned file; give one that `rotkeras finetune {task}` exported" in message
    assert "missing.tflite" in refused(lambda: kind(tmp_path / "missing.tflite"))
    content = files[task].read_bytes()
    (tmp_path / "short.tflite").write_bytes(content[:2000])
    refused(lambda: kind(tmp_path / "short.tflite"))


def described(content, text):
    """A file with another task.json."""
    description = Description("x", "x", "1", "", "", {}, {}, {TASK_FILE: [text]})
    return add_metadata(content, description)


def test_a_damaged_description_is_one_sentence(tmp_path):
    given = keras.Input((8, 8, 3), dtype="uint8", name="images")
    network = keras.Model(given, keras.layers.Rescaling(1 / 255)(given))
    images = np.zeros((1, 8, 8, 3), np.uint8)
    content = convert_network(network, "segment", "probabilities", "float32", images, tmp_path)
    path = tmp_path / "made.tflite"
    for text, words in (
        ("{", "task.json of .* is damaged"),
        ("[]", "damaged"),
        (
            '{"task": "segment", "classes": ["a"]}',
            "must give probabilities of 1 classes; export it",
        ),
    ):
        path.write_bytes(described(content, text))
        with pytest.raises(UserError, match=words):
            Segmenter(path)


def test_wrong_images_are_one_sentence(files, tmp_path):
    (tmp_path / "text.jpg").write_text("no image")
    classifier, detector = Classifier(files["classify"]), Detector(files["detect"])
    segmenter = Segmenter(files["segment"])
    for run in (classifier.classify, detector.detect, segmenter.segment):
        assert "could not be read as an image" in refused(
            lambda run=run: run(tmp_path / "text.jpg")
        )
        message = refused(lambda run=run: run([tmp_path / "gone.jpg"]))
        assert "gone.jpg' could not be read as an image (it does not exist)" in message
        assert "must not be empty" in refused(lambda run=run: run([]))
        refused(lambda run=run: run(np.zeros((64, 64, 3), np.float32)))
        refused(lambda run=run: run(np.zeros((64, 64), np.uint8)))
    refused(lambda: classifier.classify(np.zeros((32, 64, 3), np.uint8)))


USE = """
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("tensorflow", "keras", "keras_cv", "scipy", "sklearn", "pydantic"):
            raise ImportError(name)

sys.meta_path.insert(0, Refuse())
from rotkeras.device import Classifier, Detector, Segmenter
classify, detect, segment, photograph = sys.argv[1:]
print(Classifier(classify).classify([photograph]).names[0])
print(len(Detector(detect).detect([photograph], least_score=0.05)[0]))
print(*Segmenter(segment).segment([photograph])[0].shape)
"""


def test_they_need_neither_tensorflow_nor_keras(files, tmp_path):
    drawn(1)[0].save(tmp_path / "photograph.png")
    arguments = [files[task] for task in ("classify", "detect", "segment")]
    done = subprocess.run(
        [sys.executable, "-c", USE, *map(str, [*arguments, tmp_path / "photograph.png"])],
        capture_output=True,
        text=True,
        check=True,
    )
    name, count, shape = done.stdout.splitlines()
    assert name in SHAPES
    assert int(count) > 0
    assert shape == "60 80"
