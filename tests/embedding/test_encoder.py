import shutil

import numpy as np
import pytest

from rotkeras.embedding import load_encoder
from rotkeras.embedding.encoder import find_encoder
from rotkeras.errors import UserError


def save(path, make, dtype="uint8", shape=(12, 12, 3)):
    import keras

    images = keras.Input(shape, dtype=dtype)
    keras.Model(images, make(images)).save(path)
    return path


def test_features_are_those_of_predict(encoder_file):
    import keras

    images = np.random.default_rng(0).integers(0, 256, (11, 12, 12, 3), dtype=np.uint8)
    expected = keras.models.load_model(encoder_file).predict(images, verbose=0)
    for images_per_batch in (1, 4, 64):
        encoder = load_encoder(encoder_file, images_per_batch=images_per_batch)
        features = encoder.embed(images)
        assert (features.dtype, features.shape) == (np.float32, (11, 7))
        np.testing.assert_allclose(features, expected, rtol=1e-5, atol=1e-5)
        assert (encoder.path, encoder.input_size, encoder.dimensions) == (encoder_file, 12, 7)


def test_every_pass_is_a_whole_batch_and_no_images_are_no_features(quick_encoder):
    images = np.random.default_rng(0).integers(0, 256, (6, 12, 12, 3), dtype=np.uint8)
    features = quick_encoder.embed(images)  # its forward pass asserts the shape
    np.testing.assert_allclose(features[:, :3], images.mean(axis=(1, 2)), rtol=1e-5)
    assert quick_encoder.embed(images[:0]).shape == (0, 6)


@pytest.mark.parametrize(
    "wrong", [np.zeros((2, 12, 12, 3), np.float32), np.zeros((2, 16, 16, 3), np.uint8)]
)
def test_other_arrays_are_refused(quick_encoder, wrong):
    with pytest.raises(
        UserError, match=r"images must be a uint8 array \(N, 12, 12, 3\), got a .* of shape \(2, 1"
    ):
        quick_encoder.embed(wrong)


def test_a_run_folder_means_its_encoder(encoder_file, tmp_path):
    shutil.copy(encoder_file, tmp_path / "encoder.keras")
    assert find_encoder(tmp_path) == tmp_path / "encoder.keras"
    assert find_encoder(str(tmp_path / "encoder.keras")) == tmp_path / "encoder.keras"


def test_what_is_no_encoder_file_is_told_without_keras(tmp_path):
    def refused(path):
        with pytest.raises(UserError) as error:
            find_encoder(path)
        return str(error.value)

    assert "does not exist" in refused(tmp_path / "nowhere.keras")
    assert "holds no encoder.keras" in refused(tmp_path)
    (tmp_path / "recipe.yaml").write_text("name: x\n")
    assert "written after the first epoch" in refused(tmp_path)
    (tmp_path / "a.h5").write_bytes(b"x")
    assert "ends in .h5" in refused(tmp_path / "a.h5")
    (tmp_path / "b.keras").write_bytes(b"")
    assert "is not an intact .keras file; save or copy it again." in refused(tmp_path / "b.keras")


def test_models_of_another_form_are_refused_with_what_to_do(tmp_path, encoder_file):
    import keras

    layers = keras.layers
    wrong = {
        "a feature map (B, 5, 5, 8)": save(tmp_path / "map.keras", layers.Conv2D(8, 3, strides=2)),
        "predicts the classes of its pretext task": save(
            tmp_path / "rotation.keras",
            lambda x: layers.Dense(4, name="rotation")(layers.GlobalAveragePooling2D()(x)),
        ),
        "takes float32 (B, 12, 12, 3)": save(
            tmp_path / "float.keras", layers.Flatten(), dtype="float32"
        ),
        "takes uint8 (B, 12, 12, 1)": save(
            tmp_path / "grey.keras", layers.Flatten(), shape=(12, 12, 1)
        ),
        "takes uint8 (B, 12)": save(tmp_path / "rows.keras", layers.Dense(2), shape=(12,)),
        "gives (B, 144, 3)": save(tmp_path / "sequence.keras", layers.Reshape((144, 3))),
        "1 inputs and 2 outputs": save(
            tmp_path / "two.keras", lambda x: [layers.Flatten()(x), layers.GlobalMaxPooling2D()(x)]
        ),
    }
    for words, path in wrong.items():
        with pytest.raises(UserError) as error:
            load_encoder(path)
        assert words in str(error.value)
        assert "; " in str(error.value)  # what to do
        assert path.name in str(error.value)
    damaged = tmp_path / "damaged.keras"
    shutil.copy(encoder_file, damaged)
    import zipfile

    with zipfile.ZipFile(damaged, "w") as archive:
        archive.writestr("readme.txt", "no model")
    with pytest.raises(UserError, match=r"Keras could not load .*damaged.keras'"):
        load_encoder(damaged)


def test_an_open_input_size_is_asked_for(tmp_path, encoder_file):
    import keras

    def pooled(x):
        return keras.layers.GlobalAveragePooling2D()(
            keras.layers.Conv2D(5, 3)(keras.layers.Rescaling(1 / 255)(x))
        )

    path = save(tmp_path / "open.keras", pooled, shape=(None, None, 3))
    with pytest.raises(UserError, match="any size.*--image-size"):
        load_encoder(path)
    encoder = load_encoder(path, image_size=20, images_per_batch=2)
    assert (encoder.input_size, encoder.dimensions) == (20, 5)
    assert encoder.embed(np.zeros((3, 20, 20, 3), np.uint8)).shape == (3, 5)
    with pytest.raises(UserError, match="could not be run on 2 images of 2×2") as error:
        load_encoder(path, image_size=2, images_per_batch=2)
    assert "\x1b" not in str(error.value)
    with pytest.raises(
        UserError, match="takes images of 12×12, received --image-size 20; leave it out"
    ):
        load_encoder(encoder_file, image_size=20)
    assert load_encoder(encoder_file, image_size=12).input_size == 12


def test_a_fixed_batch_is_kept(tmp_path):
    import keras

    images = keras.Input(batch_shape=(2, 12, 12, 3), dtype="uint8")
    keras.Model(
        images, keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1.0)(images))
    ).save(tmp_path / "two.keras")
    encoder = load_encoder(tmp_path / "two.keras", images_per_batch=64)
    assert encoder.images_per_batch == 2
    pixels = np.random.default_rng(0).integers(0, 256, (5, 12, 12, 3), dtype=np.uint8)
    np.testing.assert_allclose(encoder.embed(pixels), pixels.mean(axis=(1, 2)), rtol=1e-5)


def test_a_shipped_encoder_loads():
    from pathlib import Path

    encoder = load_encoder(Path(__file__).parents[2] / "saved_models" / "cifar10-cpu")
    assert (encoder.input_size, encoder.dimensions) == (32, 24)


def test_an_encoder_of_images_that_are_not_square(tmp_path):
    import keras

    path = save(tmp_path / "wide.keras", keras.layers.Flatten(), shape=(12, 16, 3))
    encoder = load_encoder(path)
    assert encoder.input_size == (12, 16)
    assert encoder.embed(np.zeros((2, 12, 16, 3), np.uint8)).shape == (2, 12 * 16 * 3)
    with pytest.raises(UserError, match=r"be a uint8 array \(N, 12, 16, 3\)"):
        encoder.embed(np.zeros((2, 16, 12, 3), np.uint8))
