import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from PIL import Image

from rotkeras.device import Encoder
from rotkeras.errors import UserError


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (5, 16, 16, 3), np.uint8)


def by_the_runtime(path, images):
    runner = Interpreter(str(path)).get_signature_runner("embed")
    scale, zero_point = runner.get_output_details()["embedding"]["quantization"]
    rows = np.concatenate([runner(images=image[None])["embedding"] for image in images])
    return (rows.astype(float) - zero_point) * scale if scale else rows


@pytest.mark.parametrize(
    "name", ["encoder-float32", "encoder-int8", "encoder-mediapipe", "learner"]
)
def test_every_file_embeds_as_by_the_runtime(exported, images, name):
    encoder = Encoder(exported / f"{name}.tflite")
    embeddings = encoder.embed(images)
    assert (encoder.input_size, encoder.dimensions) == (16, embeddings.shape[1])
    assert embeddings.dtype == np.float32
    np.testing.assert_allclose(
        embeddings, by_the_runtime(encoder.path, images), rtol=1e-5, atol=1e-6
    )
    assert len(np.unique(embeddings.round(4), axis=0)) == len(images)


def test_one_image_is_a_row(exported, images):
    encoder = Encoder(str(exported / "encoder-float32.tflite"), threads=2)
    expected = encoder.embed(images)
    np.testing.assert_array_equal(encoder.embed(images[2]), expected[2:3])
    np.testing.assert_array_equal(encoder.embed([images[2], images[0]]), expected[[2, 0]])
    np.testing.assert_array_equal(encoder.embed(images[::-1]), expected[::-1])
    assert encoder.embed(images[:0]).shape == (0, encoder.dimensions)
    with pytest.raises(UserError, match="images must not be empty"):
        encoder.embed([])


def test_files_are_turned_upright_cut_and_resized(exported, images, tmp_path):
    encoder = Encoder(exported / "encoder-float32.tflite")
    for number, image in enumerate(images):
        Image.fromarray(image).save(tmp_path / f"{number}.png")
    paths = sorted(tmp_path.glob("*.png"))
    expected = encoder.embed(images)
    np.testing.assert_array_equal(encoder.embed(paths), expected)
    np.testing.assert_array_equal(encoder.embed(map(str, paths)), expected)
    np.testing.assert_array_equal(encoder.embed(np.array([str(path) for path in paths])), expected)
    np.testing.assert_array_equal(encoder.embed(paths[3]), expected[3:4])
    np.testing.assert_array_equal(encoder.embed(str(paths[3])), expected[3:4])

    lying = Image.fromarray(
        np.rot90(images[0])
    )  # turned to the left; orientation 6 turns it back to the right
    exif = Image.Exif()
    exif[0x0112] = 6
    lying.save(tmp_path / "lying.png", exif=exif)
    np.testing.assert_array_equal(encoder.embed(tmp_path / "lying.png"), expected[:1])
    wide = np.concatenate([np.zeros_like(images[1]), images[1], np.zeros_like(images[1])], axis=1)
    Image.fromarray(wide).save(tmp_path / "wide.png")
    np.testing.assert_array_equal(encoder.embed(tmp_path / "wide.png"), expected[1:2])
    large = images[4].repeat(3, axis=0).repeat(3, axis=1)
    Image.fromarray(large).save(tmp_path / "large.png")
    small = np.asarray(Image.fromarray(large).resize((16, 16), Image.Resampling.BILINEAR))
    np.testing.assert_array_equal(encoder.embed(tmp_path / "large.png"), encoder.embed(small))


@pytest.mark.parametrize(
    ("wrong", "received"),
    [
        (np.zeros((2, 16, 16, 3), np.float32), r"float32 \(2, 16, 16, 3\)"),
        (np.zeros((2, 17, 16, 3), np.uint8), r"uint8 \(2, 17, 16, 3\)"),
        (np.zeros((2, 16, 16, 1), np.uint8), r"uint8 \(2, 16, 16, 1\)"),
        (np.zeros((16, 16), np.uint8), r"uint8 \(16, 16\)"),
        ([np.zeros((16, 16, 3), np.uint8), np.zeros((8, 8, 3), np.uint8)], r"uint8 \(8, 8, 3\)"),
        ([3], "a int"),
        (3, "a int"),
        (None, "a NoneType"),
    ],
)
def test_an_image_of_the_wrong_kind_is_told(exported, wrong, received):
    with pytest.raises(UserError, match=rf"image of the wrong kind.*\(n, 16, 16, 3\).*{received}"):
        Encoder(exported / "encoder-float32.tflite").embed(wrong)


def test_files_that_are_no_images_are_named(exported, images, tmp_path):
    encoder = Encoder(exported / "encoder-float32.tflite")
    (tmp_path / "text.jpg").write_text("no image")
    (tmp_path / "empty.png").touch()
    Image.fromarray(np.kron(images[0], np.ones((8, 8, 1), np.uint8))).save(tmp_path / "whole.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "whole.png").read_bytes()[:900])
    for name, reason in (
        ("text.jpg", "its content is not an image"),
        ("empty.png", "its content is not an image"),
        ("cut.png", "truncated"),
        ("none.png", "it does not exist"),
        (".", "it is a folder"),
    ):
        with pytest.raises(UserError, match=f"could not be read as an image .*{reason}"):
            encoder.embed([tmp_path / "whole.png", tmp_path / name])


def test_files_that_are_no_encoders_are_told_what_they_are(exported):
    with pytest.raises(
        UserError,
        match=r"is not an encoder: it must have the signature 'embed', got one that predicts classes \('predict'\); for angles use rotkeras\.device\.Orienter",
    ):
        Encoder(exported / "orient.tflite")
