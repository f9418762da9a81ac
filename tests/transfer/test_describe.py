"""What a fine-tuned file says of itself, read back by walking the flatbuffers by hand, as
MediaPipe's schemas lay them out."""

import json
import zipfile

import numpy as np
import pytest
from flatbuffer_tables import metadata_of, root_of
from tiny_files import ANCHORS, CLASSES, SIZE, write_file

from rotkeras.device import Classifier, Detector, Segmenter
from rotkeras.device.boxes import decode
from rotkeras.export.mediapipe import detector_options
from rotkeras.transfer.describe import LEAST_SCORE


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    return {
        task: write_file(folder / f"{task}.tflite", task)
        for task in ("classify", "segment", "detect")
    }


def graph_of(path):
    (graph,) = metadata_of(path).tables(3)
    return graph


def test_labels_and_the_task_travel_with_every_file(files):
    for task, path in files.items():
        outputs = graph_of(path).tables(3)
        (labelled,) = [each for each in outputs if each.tables(6)]
        (file,) = labelled.tables(6)
        assert (file.text(0), file.byte(2)) == ("labels.txt", 2)  # TENSOR_AXIS_LABELS
        with zipfile.ZipFile(path) as archive:
            assert archive.read("labels.txt").decode().splitlines() == list(CLASSES)
            assert json.loads(archive.read("task.json"))["task"] == task
        root = metadata_of(path)
        assert root.text(0) == "tiny (float32)"
        assert (root.text(4), root.text(5)) == ("A. Author", "CC0-1.0")


def test_a_classifier_needs_nothing_of_its_own(files):
    assert graph_of(files["classify"]).tables(9) == []
    assert metadata_of(files["classify"]).text(7) == "1.0.0"


def test_a_segmenter_says_that_its_output_is_probabilities(files):
    (custom,) = graph_of(files["segment"]).tables(9)
    assert custom.text(0) == "SEGMENTER_METADATA"
    options = root_of(custom.bytes_at(1), b"V001")
    assert options.number(0, "<b") == 0  # Activation.NONE
    assert options.text(1) == "1.0.0"
    assert metadata_of(files["segment"]).text(7) == "1.5.0"  # the first with custom_metadata


def test_the_tensors_of_a_detector_have_the_names_and_contents_that_are_asked_for(files):
    tensors = {each.text(0): each for each in graph_of(files["detect"]).tables(3)}
    assert set(tensors) == {"location", "score"}
    content = tensors["location"].table(3)
    assert content.byte(0) == 3  # BoundingBoxProperties
    box = content.table(1)
    assert box.byte(1) == 1  # BOUNDARIES
    assert box.number(2, "<b") == 0  # RATIO
    (unit,) = tensors["score"].tables(4)
    assert unit.byte(0) == 3  # ScoreThresholdingOptions
    assert unit.table(1).number(0, "<f") == pytest.approx(LEAST_SCORE)


def decoded(options, raw, size):
    """Boxes of raw numbers as MediaPipe's TensorsToDetectionsCalculator computes them."""
    anchors = np.array(
        [
            [each.number(slot, "<f") for slot in range(4)]
            for each in options.table(1).table(0).tables(0)
        ]
    )
    coding = options.table(2)
    x, y, w, h = (coding.number(slot, "<f") for slot in (6, 7, 8, 9))
    assert coding.byte(10) == 1  # sides are logarithms
    row, column, high, wide = raw.T
    centres = np.stack([column / x, row / y], 1) * anchors[:, 2:] + anchors[:, :2]
    sides = np.exp(np.stack([wide / w, high / h], 1)) * anchors[:, 2:]
    corners = np.concatenate([centres - sides / 2, centres + sides / 2], 1)
    return corners * [size[1], size[0], size[1], size[0]]


def test_a_detector_says_how_its_boxes_are_decoded(files):
    (custom,) = graph_of(files["detect"]).tables(9)
    assert custom.text(0) == "DETECTOR_METADATA"
    options = root_of(custom.bytes_at(1), b"V001")
    coding = options.table(2)
    anchors = ANCHORS(SIZE)
    numbers = [coding.number(slot, "<i") for slot in range(6)]
    # num_classes, num_boxes, num_coords; no keypoints, of 2 numbers each
    assert numbers == [3, len(anchors), 4, 0, 0, 2]
    assert coding.number(11, "<b") == 0  # scores are no logits
    raw = np.random.default_rng(0).normal(0, 2, (len(anchors), 4)).astype(np.float32)
    np.testing.assert_allclose(decoded(options, raw, SIZE), decode(raw, anchors), atol=1e-3)


def test_anchors_of_a_size_of_its_own_are_parts_of_its_sides():
    corners = np.array([[0, 0, 10, 40], [5, 20, 15, 60]], np.float32)
    options = root_of(detector_options(corners, (80, 20), 7), b"V001")
    found = [
        [each.number(slot, "<f") for slot in range(4)]
        for each in options.table(1).table(0).tables(0)
    ]
    assert found == [[0.25, 0.25, 0.5, 0.5], [0.5, 0.5, 0.5, 0.5]]


def test_flatbuffers_within_begin_at_multiples_of_16(files):
    """`force_align: 16` of custom_metadata: MediaPipe reads them where they lie."""
    for task in ("segment", "detect"):
        graph = graph_of(files[task])
        (custom,) = graph.tables(9)
        assert (custom.follow(1) + 4) % 16 == 0


def test_our_own_classes_read_the_same_files(files):
    image = np.random.default_rng(1).integers(0, 256, (*SIZE, 3), np.uint8)
    assert Classifier(files["classify"]).classify(image).probabilities.shape == (1, 3)
    (mask,) = Segmenter(files["segment"]).segment(image)
    assert mask.shape == SIZE
    (found,) = Detector(files["detect"]).detect(image)
    assert found.corners.shape == (len(found), 4)
