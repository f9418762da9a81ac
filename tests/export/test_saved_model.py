import json

import numpy as np
import pytest

from rotkeras.errors import UserError
from rotkeras.export import parts_of, to_saved_model


@pytest.fixture(scope="module")
def loaded(exported):
    import tensorflow as tf

    return tf.saved_model.load(str(exported / "saved_model"))


@pytest.mark.parametrize("batch", [1, 7])
def test_the_signatures_answer_as_keras_does_for_any_batch(
    loaded, exported_run, digit_source, batch
):
    import keras
    import tensorflow as tf

    network = keras.models.load_model(exported_run.model, compile=False)
    parts = parts_of(
        network, json.loads((exported_run.export / "verify.json").read_text())["encoder"]["tap"]
    )
    images = digit_source.validation.take(slice(0, batch))
    run = {
        name: loaded.signatures[name](images=tf.constant(images))
        for name in ("embed", "taps", "predict")
    }
    np.testing.assert_allclose(run["embed"]["embedding"], parts.embed(images), atol=1e-5)
    np.testing.assert_allclose(
        run["predict"]["probabilities"], parts.prediction.model(images), atol=1e-5
    )
    assert sorted(run["taps"]) == ["conv1", "conv2", "conv3"]
    for tap, values in parts.taps(images).items():
        np.testing.assert_allclose(run["taps"][tap], values, atol=1e-4)


def test_its_inputs_are_pixels(loaded):
    specification = loaded.signatures["embed"].structured_input_signature[1]["images"]
    assert (specification.dtype.name, tuple(specification.shape)) == ("uint8", (None, 16, 16, 3))


def test_nothing_that_is_there_is_replaced(tmp_path, small_backbone):
    (tmp_path / "model").mkdir()
    with pytest.raises(UserError, match="exists already. Delete it"):
        to_saved_model(small_backbone, tmp_path / "model")
