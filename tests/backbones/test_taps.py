import keras
import numpy as np
import pytest

from rotkeras import UserError
from rotkeras.backbones import taps
from rotkeras.pretext import InStep, Rotation

IMAGES = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 3), dtype=np.uint8)


def test_names_in_order_also_of_a_nested_model(small_backbone):
    assert taps.names(small_backbone) == ["conv1", "conv2", "conv3"]
    assert taps.names(Rotation().build_model(small_backbone)) == ["conv1", "conv2", "conv3"]
    assert taps.names(InStep(Rotation()).build_model(small_backbone)) == ["conv1", "conv2", "conv3"]


def test_a_cut_is_the_mean_over_the_tap_and_shares_its_weights(small_backbone):
    maps = np.asarray(
        keras.Model(small_backbone.input, small_backbone.get_layer("conv2").output)(IMAGES)
    )
    np.testing.assert_allclose(
        taps.cut(small_backbone, "conv2")(IMAGES), maps.mean(axis=(1, 2)), rtol=1e-5
    )
    encoder = taps.cut(small_backbone, "conv2", pooling="none")
    assert np.array_equal(encoder(IMAGES), maps)
    kernel = small_backbone.get_layer("block1_1_conv").kernel
    kernel.assign(kernel * 2)
    assert not np.allclose(encoder(IMAGES), maps)


def test_a_cut_leaves_out_what_comes_after(small_backbone):
    assert not any(
        layer.name.startswith("block3") for layer in taps.cut(small_backbone, "conv2").layers
    )


def test_the_extractor_pools_to_the_largest_grid_that_fits(small_backbone):
    features = taps.extractor(small_backbone, features=72)(IMAGES)
    maps = np.asarray(
        keras.Model(small_backbone.input, small_backbone.get_layer("conv1").output)(IMAGES)
    )
    assert maps.shape == (3, 8, 8, 8)
    # 8 channels, at most 72 numbers: a grid of 3 × 3, its windows from floor(8 i / 3) to ceil(8 (i
    # + 1) / 3)
    edges = [(0, 3), (2, 6), (5, 8)]
    expected = np.stack([[maps[:, a:b, c:d].mean(axis=(1, 2)) for c, d in edges] for a, b in edges])
    np.testing.assert_allclose(
        features["conv1"], expected.transpose(2, 0, 1, 3).reshape(3, -1), rtol=1e-5
    )
    assert list(features) == ["conv1", "conv2", "conv3"]


def test_an_untrained_copy_shares_nothing_and_differs(small_backbone):
    model = Rotation().build_model(small_backbone)
    model.compile("sgd", Rotation().loss(), metrics=Rotation().metrics())
    before = [np.array(w) for w in model.get_weights()]
    copy = taps.untrained_copy(model)
    assert [w.shape for w in copy.get_weights()] == [w.shape for w in before]
    assert not np.array_equal(copy.get_weights()[0], before[0])
    copy.set_weights([w * 0 for w in before])
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), before, strict=True))


def test_a_tap_that_is_not_there_names_those_that_are(small_backbone):
    with pytest.raises(UserError, match=r"must be one of 'conv1', 'conv2', 'conv3', got 'conv9'"):
        taps.cut(small_backbone, "conv9")


def test_a_model_without_taps_says_how_to_make_one():
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    with pytest.raises(UserError, match="Identity"):
        taps.names(model)


def test_the_default_is_the_second_tap(small_backbone):
    assert taps.default(small_backbone) == "conv2"
