"""The encoder to fine-tune, of everything that names one."""

import keras
import numpy as np
import pytest
from small_training import LEAN

from rotkeras.backbones import taps
from rotkeras.errors import UserError
from rotkeras.run.folder import Run
from rotkeras.transfer.encoder import load_encoder


def small_backbone():
    from rotkeras import recipe as recipes

    return recipes.validate(LEAN, "test").backbone


def test_a_run_folder(exported_run):
    found = load_encoder(str(exported_run.path), None, None, 0)
    assert taps.names(found.network) == ["conv1", "conv2", "conv3"]
    assert (found.words, found.size, found.tap) == ("pre-trained by rotation", 16, None)
    kernel = keras.models.load_model(exported_run.model, compile=False).get_layer("block1_conv")
    np.testing.assert_array_equal(
        found.network.get_layer("block1_conv").get_weights()[0], kernel.get_weights()[0]
    )


def test_a_file_with_taps_keeps_them(labelled_sets):
    found = load_encoder(str(labelled_sets["encoder"]), None, None, 0)
    assert taps.names(found.network) == ["stage1", "stage2", "stage3", "stage4"]
    assert (found.words, found.size) == ("with the weights of encoder.keras", 64)


def test_a_plain_keras_model_gets_taps_and_loses_its_classifier(tmp_path):
    inputs = keras.Input((32, 32, 3))
    x = keras.layers.Conv2D(4, 3, strides=2, padding="same", activation="relu")(inputs)
    x = keras.layers.Conv2D(6, 3, strides=2, padding="same", activation="relu")(x)
    x = keras.layers.Dense(10)(keras.layers.GlobalAveragePooling2D()(x))
    keras.Model(inputs, x).save(tmp_path / "plain.keras")
    found = load_encoder(str(tmp_path / "plain.keras"), None, None, 0)
    assert taps.names(found.network) == ["stage1", "stage2"]
    assert found.network.output_shape == (None, 8, 8, 6)
    assert found.network.inputs[0].dtype == "uint8"


def test_none_draws_the_backbone_by_the_seed():
    first, again, other = (load_encoder("none", small_backbone(), 32, seed) for seed in (0, 0, 1))
    assert (first.words, first.size) == ("from scratch", 32)
    weights = [each.network.get_weights() for each in (first, again, other)]
    assert all(np.array_equal(a, b) for a, b in zip(weights[0], weights[1], strict=True))
    assert not np.array_equal(weights[0][0], weights[2][0])
    wide = load_encoder("none", small_backbone(), (16, 32), 0)
    assert wide.size == (16, 32)


def test_untrained_has_other_weights_and_the_same_taps(labelled_sets):
    found = load_encoder(str(labelled_sets["encoder"]), None, None, 0)
    drawn = found.untrained(3)
    assert drawn.words == "from scratch"
    assert taps.names(drawn.network) == taps.names(found.network)
    assert not np.array_equal(drawn.network.get_weights()[0], found.network.get_weights()[0])


def test_what_is_no_encoder_is_one_sentence(tmp_path):
    (tmp_path / "broken.keras").write_bytes(b"not a model")
    (tmp_path / "empty").mkdir()
    flat = keras.Sequential([keras.Input((5,)), keras.layers.Dense(2)])
    flat.save(tmp_path / "dense.keras")
    for name, words in (
        ("none", "data.image_size must be set where the encoder is none, got null; set the pixels"),
        (str(tmp_path / "missing"), "no such run or .keras file. Give a run folder"),
        (str(tmp_path / "missing.keras"), "no such .keras file. Give an encoder.keras"),
        (str(tmp_path / "broken.keras"), "Keras could not load"),
        (str(tmp_path / "empty"), ""),
        (str(tmp_path / "dense.keras"), ""),
    ):
        with pytest.raises(UserError) as error:
            load_encoder(name, small_backbone(), None, 0)
        message = str(error.value)
        assert words in message
        assert "\n" not in message
        assert message.endswith(".")


def test_a_run_that_has_not_ended_is_refused(tmp_path):
    run = Run(tmp_path / "run")
    run.path.mkdir()
    run.recipe.write_text("name: run\n")
    with pytest.raises(UserError) as error:
        load_encoder(str(run.path), None, None, 0)
    assert "\n" not in str(error.value)
