"""MediaPipe, in an environment of its own, takes the files that are made for it.

It pins other versions of what rotkeras needs, so it is not installed beside: name a Python that has
it in MEDIAPIPE_PYTHON.
"""

import json
import os
import subprocess

import numpy as np
import pytest

PYTHON = os.environ.get("MEDIAPIPE_PYTHON")

pytestmark = pytest.mark.skipif(
    not PYTHON, reason="MEDIAPIPE_PYTHON names no Python with mediapipe"
)

SCRIPT = """
import sys, json, numpy as np, mediapipe as mp
from mediapipe.tasks.python import BaseOptions, vision
from mediapipe.tasks.metadata import metadata_schema_py_generated as metadata, schema_py_generated as schema

def embed_all(file, images):
    with vision.ImageEmbedder.create_from_options(
        vision.ImageEmbedderOptions(base_options=BaseOptions(model_asset_path=file))
    ) as embedder:
        pictures = [mp.Image(image_format=mp.ImageFormat.SRGB, data=np.ascontiguousarray(image)) for image in images]
        return [np.asarray(embedder.embed(picture).embeddings[0].embedding, float).tolist() for picture in pictures]

def classify(file, image):
    with vision.ImageClassifier.create_from_options(
        vision.ImageClassifierOptions(base_options=BaseOptions(model_asset_path=file))
    ) as classifier:
        picture = mp.Image(image_format=mp.ImageFormat.SRGB, data=np.ascontiguousarray(image))
        return {each.category_name: each.score for each in classifier.classify(picture).classifications[0].categories}

def described(file):
    model = schema.Model.GetRootAs(open(file, "rb").read(), 0)
    entries = [model.Metadata(index) for index in range(model.MetadataLength())]
    (entry,) = [each for each in entries if each.Name() == b"TFLITE_METADATA"]
    read = metadata.ModelMetadataT.InitFromObj(metadata.ModelMetadata.GetRootAs(model.Buffers(entry.Buffer()).DataAsNumpy().tobytes(), 0))
    return [read.name.decode(), read.license.decode(), len(read.subgraphMetadata)]

folder, pictures = sys.argv[1:]
given = np.load(pictures)
several = [given[name] for name in sorted(given.files) if name.startswith("photo")]
print(json.dumps({
    "same": embed_all(folder + "/encoder-mediapipe.tflite", given["digits"]),
    "dynamic": embed_all(folder + "/encoder-dynamic.tflite", given["digits"]),
    "mixed": embed_all(folder + "/encoder-mixed.tflite", given["digits"]),
    "several": embed_all(folder + "/encoder-mediapipe.tflite", several),
    "angles": classify(folder + "/orient.tflite", given["digits"][0]),
    "classes": classify(folder + "/classifier.tflite", given["digits"][0]),
    "described": {name: described(folder + "/" + name) for name in ("encoder-mediapipe.tflite", "orient.tflite", "learner.tflite")},
}))
"""


@pytest.fixture(scope="module")
def photographs():
    """Cuts of the two photographs that come with scikit-learn, of several sizes and shapes."""
    from sklearn.datasets import load_sample_images

    images = load_sample_images().images
    sizes = [(427, 640), (200, 300), (120, 120), (64, 48), (16, 16), (300, 100)]
    return [
        image[row : row + height, :width]
        for image in images
        for row, (height, width) in enumerate(sizes)
    ]


@pytest.fixture(scope="module")
def answers(exported, digit_source, photographs, tmp_path_factory):
    file = tmp_path_factory.mktemp("mediapipe") / "images.npz"
    named = {f"photo{number:02d}": image for number, image in enumerate(photographs)}
    np.savez(file, digits=digit_source.validation.take(slice(0, 80)), **named)
    result = subprocess.run(
        [PYTHON, "-c", SCRIPT, str(exported), str(file)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    return json.loads(result.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def keras_embeddings(exported, exported_run):
    import keras

    from rotkeras.export import parts_of

    tap = json.loads((exported / "verify.json").read_text())["encoder"]["tap"]
    parts = parts_of(keras.models.load_model(exported_run.model, compile=False), tap)
    return lambda images: parts.embed.predict(images, verbose=0)


def similarities(vectors):
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    found = unit @ unit.T
    np.fill_diagonal(found, -1)
    return found


@pytest.mark.parametrize("profile", ["same", "dynamic", "mixed"])
def test_the_image_embedder_ranks_images_as_keras_does(
    answers, keras_embeddings, digit_source, profile
):
    from scipy.stats import spearmanr

    given = np.array(answers[profile])
    expected = keras_embeddings(digit_source.validation.take(slice(0, 80)))
    cosine = (
        (given * expected).sum(axis=1)
        / np.linalg.norm(given, axis=1)
        / np.linalg.norm(expected, axis=1)
    )
    assert cosine.min() > 0.99
    ranks = [
        spearmanr(*rows).statistic
        for rows in zip(similarities(given), similarities(expected), strict=True)
    ]
    assert np.mean(ranks) > 0.98


def test_photographs_of_several_sizes_are_embedded(answers, keras_embeddings, photographs):
    import tensorflow as tf

    given = np.array(answers["several"])
    assert given.shape[0] == len(photographs)
    # MediaPipe stretches an image to the input of the file, bilinearly and without averaging: so
    # does tf.image.resize.
    resized = np.stack(
        [tf.cast(tf.round(tf.image.resize(image, (16, 16))), tf.uint8) for image in photographs]
    )
    expected = keras_embeddings(resized)
    cosine = (
        (given * expected).sum(axis=1)
        / np.linalg.norm(given, axis=1)
        / np.linalg.norm(expected, axis=1)
    )
    assert cosine.mean() > 0.95


def test_the_image_classifier_names_the_angles(answers):
    assert set(answers["angles"]) == {"0", "90", "180", "270"}
    assert sum(answers["angles"].values()) == pytest.approx(1, abs=0.02)


def test_the_image_classifier_names_the_classes_of_any_task(answers):
    assert set(answers["classes"]) == {"0°", "90°", "180°", "270°"}
    for name, probability in answers["angles"].items():
        assert answers["classes"][f"{name}°"] == pytest.approx(probability, abs=0.02)


def test_its_own_schema_reads_our_metadata(answers):
    assert answers["described"] == {
        "encoder-mediapipe.tflite": ["small (mediapipe)", "CC0-1.0", 1],
        "orient.tflite": ["small (orient)", "CC0-1.0", 1],
        "learner.tflite": ["small (learner)", "CC0-1.0", 5],
    }
