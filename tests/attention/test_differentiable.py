import keras
import numpy as np
import pytest

from rotkeras.attention.differentiable import differentiable
from rotkeras.errors import UserError


def test_scores_and_weights_are_those_of_the_model(rotation_model, photographs):
    flat = differentiable(rotation_model)
    assert flat.input.dtype == "float32"
    expected = np.asarray(rotation_model(photographs, training=False))
    np.testing.assert_allclose(
        np.asarray(flat(photographs.astype(np.float32), training=False)), expected, atol=1e-5
    )


def test_the_model_itself_is_left_as_it_is(rotation_model):
    before = rotation_model.get_config()
    flat = differentiable(rotation_model)
    flat.layers[2].set_weights([0 * each for each in flat.layers[2].get_weights()])
    assert rotation_model.get_config() == before
    assert np.abs(rotation_model.layers[2].get_weights()[0]).sum() > 0


def test_mixed_precision_becomes_float32():
    from rotkeras.backbones import nin
    from rotkeras.pretext import Rotation

    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = Rotation().build_model(nin(blocks=3, width=1 / 24, input_shape=(16, 16, 3)))
    finally:
        keras.config.set_dtype_policy("float32")
    assert "float16" in {layer.compute_dtype for layer in model.layers}
    assert {layer.compute_dtype for layer in differentiable(model).layers if layer.weights} == {
        "float32"
    }


@pytest.mark.parametrize("how", ["in the last layer", "as a layer of its own"])
def test_a_softmax_at_the_end_is_left_out(small_backbone, photographs, how):
    x = keras.layers.GlobalAveragePooling2D()(small_backbone.output)
    dense = keras.layers.Dense(5, activation="softmax" if how == "in the last layer" else None)
    x = dense(x)
    if how == "as a layer of its own":
        x = keras.layers.Softmax()(x)
    model = keras.Model(small_backbone.input, x)
    scores = np.asarray(differentiable(model)(photographs.astype(np.float32), training=False))
    softmax = np.exp(scores - scores.max(-1, keepdims=True))
    np.testing.assert_allclose(
        softmax / softmax.sum(-1, keepdims=True),
        np.asarray(model(photographs, training=False)),
        atol=1e-5,
    )
    assert not np.allclose(scores.sum(-1), 1)


@pytest.mark.parametrize("form", ["sequential", "functional"])
def test_a_chain_that_begins_with_a_backbone_is_flattened(small_backbone, photographs, form):
    layers = [small_backbone, keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(7)]
    if form == "sequential":
        model = keras.Sequential(layers)
        model.build((None, 16, 16, 3))
    else:
        inputs = x = keras.Input((16, 16, 3), dtype="uint8")
        for layer in layers:
            x = layer(x)
        model = keras.Model(inputs, x)
    flat = differentiable(model)
    assert not any(isinstance(layer, keras.Model) for layer in flat.layers)
    assert flat.get_layer("conv2") is not None
    np.testing.assert_allclose(
        np.asarray(flat(photographs.astype(np.float32), training=False)),
        np.asarray(model(photographs, training=False)),
        atol=1e-5,
    )


def test_models_nested_in_another_way_are_refused(small_backbone):
    inputs = keras.Input((16, 16, 3), dtype="uint8")
    x = small_backbone(inputs)
    x = keras.layers.Concatenate()([x, x])
    model = keras.Model(inputs, keras.layers.Dense(3)(keras.layers.GlobalAveragePooling2D()(x)))
    with pytest.raises(
        UserError, match=r"must be flat, because tf-keras-vis does not support nested models;"
    ):
        differentiable(model)


def test_one_of_several_named_outputs(small_backbone, photographs):
    pooled = keras.layers.GlobalAveragePooling2D()(small_backbone.output)
    model = keras.Model(
        small_backbone.input,
        {"one": keras.layers.Dense(2)(pooled), "other": keras.layers.Dense(3)(pooled)},
    )
    assert differentiable(model, "other").output.shape == (None, 3)
    with pytest.raises(UserError, match="has the outputs one, other, received None"):
        differentiable(model)


def test_models_that_are_no_classifiers(small_backbone):
    with pytest.raises(
        UserError,
        match=r"The output of the model 'nin3' must be scores \(B, classes\), got \(None, 4, 4, 8\);",
    ):
        differentiable(small_backbone)
    two = [keras.Input((4,)), keras.Input((4,))]
    with pytest.raises(UserError, match=r"must have one input, of images, got 2\."):
        differentiable(keras.Model(two, keras.layers.Add()(two)))
