"""Encoders that were exported: TFLite files and SavedModels, in the place of a `.keras` file."""

import json
import shutil

import numpy as np
import pytest
from click.testing import CliRunner

from rotkeras.cli import main
from rotkeras.embedding import load_encoder
from rotkeras.embedding.encoder import find_encoder
from rotkeras.errors import UserError


@pytest.fixture(scope="module")
def expected(exported, exported_run, digit_source):
    import keras

    from rotkeras.backbones import taps

    tap = json.loads((exported / "verify.json").read_text())["encoder"]["tap"]
    encoder = taps.cut(keras.models.load_model(exported_run.model, compile=False), tap)
    return encoder.predict(digit_source.validation.take(slice(0, 70)), verbose=0)


@pytest.mark.parametrize(
    ("name", "tolerance"),
    [
        ("saved_model", 1e-5),
        ("encoder-float32.tflite", 1e-5),
        ("encoder-int8.tflite", 0.01),
        ("learner.tflite", 0.01),
    ],
)
def test_every_form_embeds_as_keras_does(exported, digit_source, expected, name, tolerance):
    encoder = load_encoder(exported / name)
    assert (encoder.input_size, encoder.dimensions) == (16, expected.shape[1])
    assert encoder.images_per_batch == (64 if name == "saved_model" else 1)
    given = encoder.embed(digit_source.validation.take(slice(0, 70)))
    assert given.dtype == np.float32
    # The mean: an image beyond the calibration images saturates in int8.
    assert np.abs(given - expected).mean() < tolerance * np.abs(expected).max()


def test_embed_writes_the_features_of_a_tflite_file_without_starting_tensorflow(exported, tmp_path):
    from PIL import Image

    for number in range(3):
        Image.fromarray(
            np.random.default_rng(number).integers(0, 256, (20, 30, 3), dtype=np.uint8)
        ).save(tmp_path / f"{number}.png")
    result = CliRunner().invoke(
        main,
        [
            "embed",
            str(exported / "encoder-int8.tflite"),
            str(tmp_path),
            "-o",
            str(tmp_path / "f.npz"),
        ],
    )
    assert result.exit_code == 0, result.output
    assert "starting TensorFlow" not in result.output
    assert np.load(tmp_path / "f.npz")["features"].shape[0] == 3


def test_neighbours_takes_a_saved_model(exported, tmp_path):
    command = [
        "neighbours",
        str(exported / "saved_model"),
        "digits",
        "digits",
        "--resize",
        "--query-split",
        "test",
        "--queries",
        "2",
    ]
    result = CliRunner().invoke(main, [*command, "--csv", str(tmp_path / "near.csv")])
    assert result.exit_code == 0, result.output
    assert (tmp_path / "near.csv").read_text().count("\n") > 2


def test_what_is_no_encoder_is_told(exported, tmp_path):
    with pytest.raises(
        UserError,
        match=(
            r"is an export of several encoders\. Give the path of one of its files: encoder-dynamic\.tflite, encoder-float16\.tflite, encoder-float32\.tflite,"
        ),
    ):
        find_encoder(exported)
    with pytest.raises(
        UserError,
        match="must have the signature embed, which returns one vector per image, got predict;",
    ):
        load_encoder(exported / "orient.tflite")
    whole = (exported / "encoder-int8.tflite").read_bytes()
    (tmp_path / "cut.tflite").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match=r"cut\.tflite"):
        load_encoder(tmp_path / "cut.tflite")
    broken = shutil.copytree(exported / "saved_model", tmp_path / "broken")
    (broken / "saved_model.pb").write_bytes(b"\xff" * 20)
    with pytest.raises(UserError, match=r"TensorFlow could not load .*; copy or export"):
        load_encoder(broken)


def test_a_saved_model_of_another_kind_is_told(tmp_path):
    import tensorflow as tf

    class Doubling(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((None, 3), tf.float32)])
        def __call__(self, x):
            return {"y": 2 * x}

    module = Doubling()
    tf.saved_model.save(module, str(tmp_path / "model"), signatures=module.__call__)
    with pytest.raises(
        UserError,
        match=r"must have the signature embed, which takes uint8 images \(B, H, W, 3\) and returns one vector per image, got serving_default;",
    ):
        load_encoder(tmp_path / "model")


@pytest.mark.parametrize("name", ["[z] #1", "a*b?", "back\\slash", "Фото 📷"])
def test_a_saved_model_may_lie_in_a_folder_of_any_name(name, exported, tmp_path):
    (tmp_path / name).symlink_to(exported / "saved_model")
    images = np.zeros((2, 16, 16, 3), np.uint8)
    found = load_encoder(tmp_path / name).embed(images)
    np.testing.assert_array_equal(found, load_encoder(exported / "saved_model").embed(images))
