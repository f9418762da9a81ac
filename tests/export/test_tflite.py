import json

import numpy as np
import pytest
from small_training import three_taps

from rotkeras.device.tflite_file import TFLiteFile
from rotkeras.errors import UserError
from rotkeras.export import PROFILES as EVERY
from rotkeras.export import to_tflite
from rotkeras.export.operators import operators_of
from rotkeras.export.parts import parts_of

PROFILES = {name: each for name, each in EVERY.items() if each.runtime == "tflite"}
DTYPES = {name: "int8" if name == "int8" else "float32" for name in PROFILES}
SIGNATURES = {
    "learner": {"embed", "classify", "learn", "get_head", "set_head"},
    "classifier": {"predict"},
    "orient": {"predict"},
}


@pytest.fixture(scope="module")
def network(exported_run):
    import keras

    return keras.models.load_model(exported_run.model, compile=False)


@pytest.fixture(scope="module")
def held_out(digit_source):
    return digit_source.validation.take(slice(0, 60))


@pytest.fixture(scope="module")
def tap(exported):
    return json.loads((exported / "verify.json").read_text())["encoder"]["tap"]


@pytest.mark.parametrize("name", PROFILES)
def test_every_profile_keeps_the_contract(exported, name):
    file = TFLiteFile(exported / PROFILES[name].file)
    assert set(file.signatures) == SIGNATURES.get(name, {"embed"})
    signature, output = PROFILES[name].answer
    images = file.inputs(signature)["images"]
    assert (images.dtype, images.shape) == (np.uint8, (1, 16, 16, 3))
    answer = file.outputs(signature)[output]
    assert (str(answer.dtype), answer.shape[0]) == (DTYPES[name], 1)
    if name in (
        "int8",
        "mediapipe",
        "classifier",
        "orient",
    ):  # pixels go in as they are, and no number on the way is a float
        assert (images.scale, images.zero_point) == (1.0, 0)
        assert "CAST" not in operators_of(file.path.read_bytes())


@pytest.mark.parametrize(
    ("name", "cosine"),
    [
        ("float32", 0.999999),
        ("float16", 0.99999),
        ("dynamic", 0.999),
        ("int8", 0.99),
        ("mediapipe", 0.99),
        ("learner", 0.99),
    ],
)
def test_every_encoder_answers_as_keras_does(exported, network, tap, held_out, name, cosine):
    expected = parts_of(network, tap).embed.predict(held_out, verbose=0)
    file = TFLiteFile(exported / PROFILES[name].file)
    given = np.concatenate(
        [file.run("embed", images=image[None])["embedding"] for image in held_out]
    )
    lengths = np.linalg.norm(expected, axis=1) * np.linalg.norm(given, axis=1)
    assert ((expected * given).sum(axis=1) / lengths).min() > cosine
    if name == "float32":
        np.testing.assert_allclose(given, expected, atol=1e-5)


def test_the_rotation_head_answers_as_keras_does(exported, network, held_out):
    expected = parts_of(network).prediction.model.predict(held_out, verbose=0)
    file = TFLiteFile(exported / "orient.tflite")
    given = np.concatenate(
        [file.run("predict", images=image[None])["probabilities"] for image in held_out]
    )
    np.testing.assert_allclose(given, expected, atol=0.08)
    assert (given.argmax(1) == expected.argmax(1)).mean() > 0.9
    assert file.associated_file("angles.txt") == b"0\n90\n180\n270\n"


def test_integers_are_scaled_as_numpy_would(exported, held_out):
    file = TFLiteFile(exported / "encoder-int8.tflite")
    tensor = file.outputs("embed")["embedding"]
    whole = file.run("embed", dequantized=False, images=held_out[:1])["embedding"]
    assert whole.dtype == np.int8
    expected = (whole.astype(np.float64) - tensor.zero_point) * tensor.scale
    np.testing.assert_allclose(
        file.run("embed", images=held_out[:1])["embedding"], expected, atol=1e-6
    )


def test_smaller_numbers_make_smaller_files(exported):
    def weights(name):
        from ai_edge_litert import schema_py_generated as schema

        model = schema.Model.GetRootAs((exported / PROFILES[name].file).read_bytes())
        lengths = [model.Buffers(index).DataLength() for index in range(model.BuffersLength())]
        return sum(length for length in lengths if length > 256)

    assert weights("float16") < 0.75 * weights("float32")


def test_buffers_are_aligned_for_interpreters_that_do_not_copy(exported):
    from ai_edge_litert import schema_py_generated as schema

    for each in PROFILES.values():
        model = schema.Model.GetRootAs((exported / each.file).read_bytes())
        for index in range(model.BuffersLength()):
            buffer = model.Buffers(index)
            if buffer.DataLength():
                assert buffer._tab.Vector(buffer._tab.Offset(4)) % 16 == 0


def test_ones_own_encoder_is_exported_in_a_line(tmp_path, digit_source):
    from rotkeras.backbones import taps

    encoder = taps.cut(three_taps(), "conv2")
    path = to_tflite(encoder, tmp_path / "mine.tflite", "int8", calibration=digit_source.train)
    images = digit_source.validation.take(slice(0, 20))
    file = TFLiteFile(path)
    given = np.concatenate([file.run("embed", images=image[None])["embedding"] for image in images])
    expected = encoder.predict(images, verbose=0)
    assert np.abs(given - expected).max() < 0.05 * np.abs(expected).max()


def test_length_and_size_are_part_of_the_file(tmp_path):
    parts = parts_of(three_taps(), "conv2", l2_normalization=True, input_size=40, resize=True)
    file = TFLiteFile(to_tflite(parts, tmp_path / "a.tflite"))
    images = np.random.default_rng(0).integers(0, 256, (3, 40, 40, 3), dtype=np.uint8)
    given = np.concatenate([file.run("embed", images=image[None])["embedding"] for image in images])
    np.testing.assert_allclose(given, parts.embed.predict(images, verbose=0), atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(given, axis=1), 1, atol=1e-5)


def test_operators_that_tflite_lacks_are_named_and_nothing_is_written(tmp_path):
    import keras

    inputs = keras.Input((16, 16, 3), dtype="uint8")
    x = keras.layers.Identity(name="tap")(keras.ops.erfinv(keras.layers.Rescaling(1 / 300)(inputs)))
    (tmp_path / "good.tflite").write_text("an older good file")
    with pytest.raises(
        UserError,
        match=(
            r"The profile float32 cannot be made of TFLite's built-in operators alone, which have none for Erfinv\."
        ),
    ):
        to_tflite(keras.Model(inputs, x), tmp_path / "good.tflite")
    assert (tmp_path / "good.tflite").read_text() == "an older good file"
    assert [each.name for each in tmp_path.iterdir()] == ["good.tflite"]


def test_what_does_not_fit_is_told_before_anything_is_made(tmp_path):
    network, file = three_taps(), tmp_path / "a.tflite"
    few = np.zeros((99, 16, 16, 3), np.uint8)
    with pytest.raises(
        UserError,
        match="profile must be one of 'float32', .*, got 'float'; did you mean 'float32'",
    ):
        to_tflite(network, file, "float")
    with pytest.raises(
        UserError,
        match="The profile int8 is calibrated on training images and needs at least 100, best 200 to 500, got none;",
    ):
        to_tflite(network, file, "int8")
    with pytest.raises(
        UserError,
        match=(
            "The profile mediapipe is calibrated on training images and needs at least 100, best 200 to 500, got 99;"
        ),
    ):
        to_tflite(network, file, "mediapipe", calibration=few)
    with pytest.raises(
        UserError,
        match=r"calibration must be a uint8 array, got a float32 array of shape \(100, 16, 16, 3\)",
    ):
        to_tflite(network, file, "int8", calibration=np.zeros((100, 16, 16, 3), np.float32))
    with pytest.raises(UserError, match="needs the network's own prediction, and"):
        to_tflite(network, file, "orient", calibration=np.zeros((100, 16, 16, 3), np.uint8))
    assert list(tmp_path.iterdir()) == []
