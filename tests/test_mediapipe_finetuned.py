"""MediaPipe, in an environment of its own, takes the files of fine-tuned networks and gives what
`rotkeras.device` gives. See test_mediapipe.py for MEDIAPIPE_PYTHON."""

import json
import os
import subprocess

import numpy as np
import pytest
from tiny_files import ANCHORS, CLASSES, SIZE, write_file

from rotkeras.device import Classifier, Segmenter
from rotkeras.device.boxes import decode, suppress
from rotkeras.device.tflite_file import TFLiteFile

PYTHON = os.environ.get("MEDIAPIPE_PYTHON")

pytestmark = pytest.mark.skipif(
    not PYTHON, reason="MEDIAPIPE_PYTHON names no Python with mediapipe"
)

ENLARGED = 16
"""Detectors get images this much larger, so that the whole pixels in which MediaPipe gives boxes
are parts of the network's. Resized, they are what they were."""
LEAST, IOU = 0.6, 0.3
"""The least score that is asked for, and the overlap above which MediaPipe keeps the better box, of
whatever class: no option of ObjectDetector sets it."""
PROFILES = ("float32", "float16", "dynamic", "mixed", "int16x8", "int8")

SCRIPT = """
import sys, json, numpy as np, mediapipe as mp
from mediapipe.tasks.python import BaseOptions, vision

folder, least = sys.argv[1], float(sys.argv[2])
images = [np.ascontiguousarray(image) for image in np.load(folder + "/images.npy")]
large = [np.ascontiguousarray(image) for image in np.load(folder + "/large.npy")]
picture = lambda image: mp.Image(image_format=mp.ImageFormat.SRGB, data=image)
found, masks = {}, {}

def task(kind, name, **options):
    asset = BaseOptions(model_asset_path=f"{folder}/{name}.tflite")
    made = getattr(vision, kind + "Options")(base_options=asset, **options)
    return getattr(vision, kind).create_from_options(made)

def classify(name):
    with task("ImageClassifier", name) as classifier:
        found[name] = [
            {each.category_name: each.score for each in classifier.classify(picture(image)).classifications[0].categories}
            for image in images
        ]

def segment(name):
    with task("ImageSegmenter", name, output_category_mask=True, output_confidence_masks=True) as segmenter:
        made = [segmenter.segment(picture(image)) for image in images]
        masks[name + "-category"] = [each.category_mask.numpy_view()[..., 0].copy() for each in made]
        masks[name + "-confidence"] = [
            np.concatenate([mask.numpy_view().copy() for mask in each.confidence_masks], -1) for each in made
        ]
        found[name] = segmenter.labels

def detect(name):
    with task("ObjectDetector", name, score_threshold=least) as detector:
        found[name] = [
            [
                [box.origin_x, box.origin_y, box.width, box.height, each.categories[0].category_name, each.categories[0].score]
                for each in detector.detect(picture(image)).detections
                for box in [each.bounding_box]
            ]
            for image in large
        ]

for name in sys.argv[3:]:
    {"classify": classify, "several": classify, "segment": segment, "detect": detect, "backwards": detect}[name.split("-")[0]](name)
np.savez(folder + "/masks.npz", **masks)
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("finetuned")


@pytest.fixture(scope="module")
def images():
    draws = np.random.default_rng(4)
    noise = draws.integers(0, 256, (4, *SIZE, 3), np.uint8)
    dark = (draws.random((4, 1, 1, 3)) * np.linspace(0, 255, SIZE[1])[:, None]).astype(np.uint8)
    return np.concatenate([noise, np.broadcast_to(dark, noise.shape)])


@pytest.fixture(scope="module")
def answers(folder, images):
    names = [f"{task}-{each}" for task in ("classify", "segment", "detect") for each in PROFILES]
    for name in names:
        write_file(folder / f"{name}.tflite", *name.split("-"))
    write_file(folder / "several.tflite", "classify", several=True)
    write_file(folder / "backwards.tflite", "detect", backwards=True)
    np.save(folder / "images.npy", images)
    np.save(folder / "large.npy", images.repeat(ENLARGED, 1).repeat(ENLARGED, 2))
    result = subprocess.run(
        [PYTHON, "-c", SCRIPT, str(folder), str(LEAST), *names, "several", "backwards"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    return json.loads(result.stdout.splitlines()[-1]), np.load(folder / "masks.npz")


@pytest.mark.parametrize("name", [*(f"classify-{each}" for each in PROFILES), "several"])
def test_the_image_classifier_gives_the_probabilities_of_every_class(answers, folder, images, name):
    expected = Classifier(folder / f"{name}.tflite").classify(images).probabilities
    found = np.array([[row[each] for each in CLASSES] for row in answers[0][name]])
    np.testing.assert_allclose(found, expected, atol=_tolerance(name))
    assert expected.std(axis=0).max() > 0.01  # or nothing would be compared
    alone = abs(found.sum(axis=1) - 1).max()
    assert (alone > 0.1) == (name == "several")


@pytest.mark.parametrize("profile", PROFILES)
def test_the_image_segmenter_gives_the_classes_of_pixels(answers, folder, images, profile):
    found, masks = answers
    name = f"segment-{profile}"
    path = folder / f"{name}.tflite"
    assert found[name] == list(CLASSES)
    file = TFLiteFile(path)
    expected = [file.run("segment", images=image[None])["probabilities"][0] for image in images]
    np.testing.assert_allclose(masks[f"{name}-confidence"], expected, atol=_tolerance(name))
    same = masks[f"{name}-category"] == np.stack(Segmenter(path).segment(images))
    assert same.mean() > (0.99 if _tolerance(name) > 1e-3 else 0.9999)
    assert len(np.unique(masks[f"{name}-category"])) == len(CLASSES)


@pytest.mark.parametrize("name", [*(f"detect-{each}" for each in PROFILES), "backwards"])
def test_the_object_detector_gives_the_boxes(answers, folder, images, name):
    file = TFLiteFile(folder / f"{name}.tflite")
    limits = np.array([SIZE[::-1]] * 2).ravel() * ENLARGED
    compared = 0
    for image, objects in zip(images, answers[0][name], strict=True):
        made = file.run("detect", images=image[None])
        corners = decode(made["boxes"][0], ANCHORS(SIZE)) * ENLARGED
        scores, classes = made["scores"][0].max(axis=1), made["scores"][0].argmax(axis=1)
        rows = np.flatnonzero(scores >= LEAST)
        rows = rows[np.argsort(-scores[rows], kind="stable")]
        rows = rows[suppress(corners[rows], IOU, len(rows))]
        found = np.array([each[:4] for each in objects], float).reshape(-1, 4)
        # MediaPipe cuts the left and upper edge, the width and the height of a box to the image,
        # each for itself, and all to whole pixels.
        boxes = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1)
        boxes = np.clip(boxes, 0, limits)
        if name.rpartition("-")[2] in ("mixed", "int16x8", "int8"):
            # Scores that are whole numbers of steps are often equal, and which of two equal boxes
            # comes first is another matter; so each object has to be one of the file's boxes.
            off = abs(found[:, None] - boxes[None]).max(axis=2)
            rows = off.argmin(axis=1)
            assert off.min(axis=1).max() < 1.01
        assert len(found) == len(rows)
        np.testing.assert_allclose(found, boxes[rows], atol=1.01)
        assert [each[4] for each in objects] == [CLASSES[number] for number in classes[rows]]
        np.testing.assert_allclose([each[5] for each in objects], scores[rows], atol=1e-5)
        compared += len(rows)
    assert compared > 10


def _tolerance(name):
    """Of files whose integers MediaPipe's interpreter may round in another way."""
    return 0.02 if name.rpartition("-")[2] in ("dynamic", "mixed", "int16x8", "int8") else 1e-5
