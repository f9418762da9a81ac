"""TFLite files of networks with one output and two, against Keras."""

import keras
import numpy as np
import pytest
from small_transfer import drawn

from rotkeras.device.tflite_file import TFLiteFile
from rotkeras.errors import UserError
from rotkeras.export.any_network import convert_network
from rotkeras.export.operators import foreign_operators, operators_of

SIDE = 16


def images(count):
    """Photographs without black and white, which set no range of pixels."""
    small = [np.asarray(drawn(number)[0].resize((SIDE, SIDE))) for number in range(count)]
    return np.stack(small) // 2 + 40


def trunk():
    given = keras.Input((SIDE, SIDE, 3), dtype="uint8", name="images")
    x = keras.layers.Rescaling(1 / 127.5, offset=-1.0)(given)
    x = keras.layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False)(x)
    return given, keras.layers.ReLU()(keras.layers.BatchNormalization()(x))


@pytest.fixture(scope="module")
def networks():
    """ "one" gives a tensor, and "two" a dictionary whose order is not that of the alphabet."""
    keras.utils.set_random_seed(0)
    given, x = trunk()
    one = keras.layers.Dense(3, activation="softmax")(keras.layers.GlobalAveragePooling2D()(x))
    other, y = trunk()
    scores = keras.layers.Conv2D(2, 1, activation="sigmoid")(y)
    boxes = keras.layers.Reshape((-1, 4))(keras.layers.Conv2D(4, 1)(y))
    return {
        "one": keras.Model(given, one),
        "two": keras.Model(other, {"scores": scores, "boxes": boxes}),
    }


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    folders = {name: tmp_path_factory.mktemp(name) for name in ("one", "two")}
    return folders.__getitem__


TOLERANCE = {"float32": 1e-5, "float16": 0.01, "dynamic": 0.05, "int8": 0.1}


@pytest.mark.parametrize("name", ["one", "two"])
@pytest.mark.parametrize("numbers", TOLERANCE)
def test_files_give_what_keras_gives(name, numbers, networks, work, tmp_path):
    network = networks[name]
    content = convert_network(network, "predict", "found", numbers, images(16), work(name))
    assert not foreign_operators(content)
    assert operators_of(content)
    path = tmp_path / "made.tflite"
    path.write_bytes(content)
    file = TFLiteFile(path)
    assert file.signatures == ("predict",)
    (given,) = file.inputs("predict").items()
    assert given[0] == "images"
    assert (given[1].dtype, given[1].shape) == (np.uint8, (1, SIDE, SIDE, 3))
    if numbers == "int8":  # pixels go in as they are
        assert given[1].scale == pytest.approx(1.0, rel=1e-3)
        assert given[1].zero_point == 0
    for image in images(3):
        expected = network(image[None])
        expected = expected if isinstance(expected, dict) else {"found": expected}
        found = file.run("predict", images=image[None])
        assert found.keys() == expected.keys()
        for key, each in expected.items():
            assert found[key].dtype == np.float32
            np.testing.assert_allclose(found[key], each, atol=TOLERANCE[numbers])


def test_what_tflite_has_no_operator_for_is_a_sentence(tmp_path):
    given, x = trunk()
    x = keras.layers.Lambda(lambda each: keras.ops.erfinv(each / 10))(x)
    with pytest.raises(UserError) as error:
        convert_network(keras.Model(given, x), "predict", "found", "float32", images(2), tmp_path)
    message = str(error.value)
    assert "TensorFlow could not make the profile float32" in message
    assert "\n" not in message
    assert message.endswith(".")
