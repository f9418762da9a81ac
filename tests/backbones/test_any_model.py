import inspect

import keras
import numpy as np
import pytest

from rotkeras import UserError, backbones, taps
from rotkeras.backbones import from_model, keras_applications, keras_file

layers = keras.layers
IMAGES = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8)


def branching():
    """Two resolutions; the first ends in a skip connection, and paddings lie before each stride."""
    inputs = keras.Input((32, 32, 3), name="pixels")
    x = layers.Conv2D(4, 3, padding="same", name="first")(inputs)
    skip = x
    x = layers.Conv2D(4, 3, padding="same", activation="relu", name="inner")(x)
    x = layers.Add(name="sum")([x, skip])
    x = layers.ZeroPadding2D(1, name="pad")(x)
    x = layers.Conv2D(8, 3, strides=2, name="second")(x)
    gate = layers.GlobalAveragePooling2D(keepdims=True)(x)
    x = layers.Multiply(name="gated")([x, layers.Conv2D(8, 1, activation="sigmoid")(gate)])
    x = layers.Dropout(0.5)(x)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(5)(x), name="branching")


def test_taps_are_the_last_tensors_of_each_resolution_that_all_paths_pass():
    model = branching()
    found = from_model(model, pixels="0..1")
    assert {t: taps.output(found, t).shape[1:] for t in taps.names(found)} == {
        "stage1": (32, 32, 4),
        "stage2": (16, 16, 8),
    }
    expected = keras.Model(model.input, model.get_layer("sum").output)(IMAGES / np.float32(255))
    np.testing.assert_allclose(taps.cut(found, "stage1", "none")(IMAGES), expected, atol=1e-5)
    expected = keras.Model(model.input, model.get_layer("gated").output)(IMAGES / np.float32(255))
    np.testing.assert_allclose(found(IMAGES), expected, atol=1e-5)
    assert not [each for each in found.layers if isinstance(each, layers.Dense)]
    model.get_layer("first").kernel.assign(model.get_layer("first").kernel * 0)
    assert np.abs(found.get_layer("first").kernel).sum() > 0  # nothing is shared


def test_layers_can_be_named():
    found = from_model(branching(), ["inner", "second"])
    assert taps.names(found) == ["inner", "second"]
    assert found.output_shape == (None, 16, 16, 8)
    assert taps.output(found, "inner").shape == (None, 32, 32, 4)


@pytest.mark.parametrize(("pixels", "scale", "offset"), [("0..1", 255, 0), ("-1..1", 127.5, -1)])
def test_the_range_of_pixels_is_made_inside(pixels, scale, offset):
    found = from_model(branching(), ["first"], pixels=pixels)
    model = branching()
    model.get_layer("first").set_weights(found.get_layer("first_layer").get_weights())
    expected = model.get_layer("first")(IMAGES / np.float32(scale) + offset)
    np.testing.assert_allclose(found(IMAGES), expected, atol=1e-5)


def test_nested_and_sequential_models_are_flattened():
    block = keras.Sequential(
        [layers.Conv2D(4, 3, padding="same", name="conv"), layers.BatchNormalization(name="norm")],
        name="block",
    )
    inner = keras.Input((16, 16, 4))
    body = keras.Model(inner, layers.ReLU(name="relu")(layers.Conv2D(8, 3, name="conv")(inner)))
    model = keras.Sequential(
        [keras.Input((32, 32, 3)), block, layers.MaxPooling2D(), body, layers.Flatten()]
    )
    found = from_model(model)
    assert not [each for each in found.layers if isinstance(each, keras.Model)]
    assert {t: taps.output(found, t).shape[1:] for t in taps.names(found)} == {
        "stage1": (32, 32, 4),
        "stage2": (16, 16, 4),
        "stage3": (14, 14, 8),
    }
    expected = IMAGES.astype(np.float32)
    for each in model.layers[:-1]:
        expected = each(expected)
    np.testing.assert_allclose(found(IMAGES), expected, rtol=1e-4, atol=1e-3)


def test_taps_that_are_there_are_kept():
    found = from_model(backbones.nin(blocks=3, width=0.04))
    assert taps.names(found) == ["conv1", "conv2", "conv3"]
    twice = from_model(found)
    np.testing.assert_array_equal(twice(IMAGES), found(IMAGES))


def test_another_size_leaves_out_a_head_that_does_not_fit_it():
    inputs = keras.Input((32, 32, 3))
    x = layers.Conv2D(4, 3, strides=2, name="conv")(inputs)
    model = keras.Model(inputs, layers.Dense(2)(layers.Flatten()(x)))
    assert from_model(model, input_shape=(48, 40, 3)).output_shape == (None, 23, 19, 4)
    anywhere = keras.Input((None, None, 3))
    open_ = keras.Model(anywhere, layers.Conv2D(4, 3)(anywhere))
    assert from_model(open_, input_shape=(48, 40, 3)).output_shape == (None, 46, 38, 4)
    with pytest.raises(UserError, match="input_shape must be given for a model of images of any"):
        from_model(open_)


@keras.saving.register_keras_serializable(package="test")
class Known(layers.Layer):
    def call(self, inputs):
        return inputs * 2


class Unknown(Known):
    pass


def of(*through, inputs=None):
    x = inputs = keras.Input((32, 32, 3)) if inputs is None else inputs
    for layer in through:
        x = layer(x)
    return keras.Model(inputs, x, name="mine")


def test_what_cannot_be_carried_is_one_sentence():
    conv = layers.Conv2D(4, 3)
    first, second = keras.Input((32, 32, 3)), keras.Input((32, 32, 3))
    cases = {
        r"'mine' has the Lambda layer 'twice', whose code no file carries": of(
            conv, layers.Lambda(lambda x: x * 2, name="twice")
        ),
        r"the class Unknown, which Keras cannot load without its code": of(conv, Unknown()),
        r"one input and one output, and 'two' has 2 and 1": keras.Model(
            [first, second], layers.Add()([first, second]), name="two"
        ),
        r"'mine' has no feature map": of(layers.Flatten(), layers.Dense(3)),
        r"takes \(None, 8\); a backbone takes RGB images": of(
            layers.Dense(3), inputs=keras.Input((8,))
        ),
        r"has no input yet": keras.Sequential([layers.Conv2D(4, 3)]),
        r"is a subclass of keras.Model without a graph": type("Own", (keras.Model,), {})(),
    }
    for words, model in cases.items():
        with pytest.raises(UserError, match=words) as error:
            from_model(model)
        assert "\n" not in str(error.value)
    assert from_model(of(conv, Known())).output_shape == (None, 30, 30, 4)
    with pytest.raises(UserError, match=r"taps\[0\] must be a layer of 'mine', got 'conx'"):
        from_model(of(conv), ["conx"])
    with pytest.raises(UserError, match=r"taps\[0\] must be a layer of feature maps"):
        from_model(of(conv, layers.Flatten(name="flat")), ["flat"])


def test_a_file_with_new_or_kept_weights(tmp_path):
    branching().save(tmp_path / "mine.keras")
    kept = keras_file(tmp_path / "mine.keras", input_shape=(32, 32, 3))
    same = keras_file(str(tmp_path / "mine.keras"))
    np.testing.assert_array_equal(kept(IMAGES), same(IMAGES))
    new = keras_file(tmp_path / "mine.keras", weights="new")
    backbones.nin(blocks=3, width=0.04).save(tmp_path / "nin.keras")
    settled = keras_file(tmp_path / "nin.keras", batch_norm_momentum=0.5)
    norms = [each for each in settled.layers if isinstance(each, layers.BatchNormalization)]
    assert {each.momentum for each in norms} == {0.5}
    assert np.abs(np.asarray(new(IMAGES)) - kept(IMAGES)).max() > 0
    of(layers.Conv2D(4, 3), Unknown()).save(tmp_path / "own.keras")
    for name, words in (("none.keras", "does not exist"), ("own.keras", "need their code")):
        with pytest.raises(UserError, match=words):
            keras_file(tmp_path / name)


@pytest.mark.parametrize("name", ["ResNet50", "DenseNet121", "MobileNetV2", "EfficientNetB0"])
def test_the_preprocessing_of_keras_applications_is_inside(name):
    """One network of each form of it: BGR, mean and deviation, −1…1, and inside already."""
    make = getattr(keras.applications, name)
    theirs = make(include_top=False, weights=None, input_shape=(32, 32, 3))
    ours = keras_applications(name, input_shape=(32, 32, 3))
    ours.set_weights(theirs.get_weights())
    expected = theirs(inspect.getmodule(make).preprocess_input(IMAGES.astype(np.float32)))
    scale = float(np.abs(expected).max())
    np.testing.assert_allclose(ours(IMAGES) / scale, expected / scale, atol=1e-5)


def test_mistakes_with_keras_applications():
    for arguments, words in (
        ({"model": "MobileNetV9"}, "model must be a network of keras.applications"),
        ({"model": "Xception", "input_shape": (32, 32, 3)}, r"for images of \(32, 32, 3\) \("),
        ({"model": "MobileNetV2", "arguments": {"beta": 1}}, "no argument 'beta' for a recipe; it"),
        ({"model": "VGG16", "arguments": {"beta": 1}}, "it has none"),
        ({"model": "MobileNetV2", "weights": "nowhere"}, "with weights 'nowhere'"),
    ):
        with pytest.raises(UserError, match=words) as error:
            keras_applications(**arguments)
        assert "\n" not in str(error.value)


def test_an_activation_that_replaces_nothing_is_a_mistake():
    from rotkeras.backbones import keras_applications

    with pytest.raises(UserError, match=r"it has no hard-swish and no SiLU to replace"):
        keras_applications("MobileNetV2", activation="relu6", input_shape=(32, 32, 3))


def test_mistakes_of_a_network_are_said_before_images_are_decoded(tmp_path):
    from rotkeras import training
    from rotkeras.recipe import validate

    for backbone, words in (
        ({"name": "keras_applications", "model": "MobileNetV3Tiny"}, "did you mean"),
        (
            {
                "name": "keras_applications",
                "model": "MobileNetV3Small",
                "arguments": {"alfa": 1},
            },
            "has no argument 'alfa'",
        ),
        ({"name": "keras_file", "path": str(tmp_path / "no.keras")}, "does not exist"),
    ):
        made = validate({"data": {"folder": str(tmp_path)}, "backbone": backbone}, "test")
        with pytest.raises(UserError, match=words):  # and not that the folder holds no image
            training.train(made, training.Run(tmp_path / "run"))
