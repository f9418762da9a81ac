import keras
import numpy as np
import pytest

from rotkeras.probes import heads
from rotkeras.probes.heads import Site


def built(name, shape, classes=10, **more):
    inputs = keras.Input(shape)
    layers = heads.NAMES[name](Site(shape, classes, "p", **more))
    return keras.Model(inputs, heads.apply(layers, inputs))


def weights(model):
    return sum(int(np.prod(w.shape)) for w in model.trainable_weights)


def test_the_nonlinear_probe_is_200_200_10_counted_by_hand():
    model = built("nonlinear", (8, 8, 192))
    # flatten 8·8·192 = 12288; dense 200, dense 200 without bias, each with batch norm's scale and
    # offset; dense 10 with bias
    assert weights(model) == 12288 * 200 + 2 * 200 + 200 * 200 + 2 * 200 + 200 * 10 + 10
    kinds = [type(layer).__name__ for layer in model.layers[1:]]
    assert kinds == [
        "Flatten",
        "Dense",
        "BatchNormalization",
        "ReLU",
        "Dense",
        "BatchNormalization",
        "ReLU",
        "Dense",
    ]
    assert [layer.use_bias for layer in model.layers if isinstance(layer, keras.layers.Dense)] == [
        False,
        False,
        True,
    ]


@pytest.mark.parametrize(("classes", "hidden"), [(2, 40), (10, 200), (205, 2048)])
def test_hidden_units_are_20_for_each_class_and_at_most_2048(classes, hidden):
    assert built("nonlinear", (2, 2, 3), classes).layers[2].units == hidden


def test_the_conv_probe_is_the_third_block_counted_by_hand():
    model = built("conv", (8, 8, 192))
    # 3×3-192, 1×1-192, 1×1-192 without bias, each with batch norm's scale and offset; average over
    # the map; dense 10
    assert weights(model) == 9 * 192 * 192 + 2 * 192 * 192 + 3 * 2 * 192 + 192 * 10 + 10
    kinds = [type(layer).__name__ for layer in model.layers[1:]]
    assert kinds == ["Conv2D", "BatchNormalization", "ReLU"] * 3 + [
        "GlobalAveragePooling2D",
        "Dense",
    ]
    assert [
        layer.kernel_size for layer in model.layers if isinstance(layer, keras.layers.Conv2D)
    ] == [(3, 3), (1, 1), (1, 1)]
    assert model.layers[9].output.shape == (None, 8, 8, 192)
    assert (
        weights(built("conv", (16, 16, 96), filters=8))
        == 9 * 96 * 8 + 2 * 8 * 8 + 3 * 2 * 8 + 8 * 10 + 10
    )


@pytest.mark.parametrize(
    ("shape", "grid"),
    [
        ((55, 55, 64), 12),
        ((27, 27, 192), 7),
        ((13, 13, 384), 5),
        ((13, 13, 256), 6),
        ((16, 16, 96), 10),
        ((4, 4, 8), 4),
    ],
)
def test_the_linear_probe_pools_alexnet_taps_to_the_published_grids(shape, grid):
    model = built("linear", shape)
    assert model.layers[1].output.shape == (None, grid, grid, shape[2])
    assert (
        weights(model) == grid * grid * shape[2] * 10 + 10
    )  # batch norm has neither scale nor offset
    assert [type(layer).__name__ for layer in model.layers[1:]] == [
        "AdaptiveMaxPooling2D",
        "Flatten",
        "BatchNormalization",
        "Dense",
    ]


def test_the_linear_probe_takes_the_maximum():
    model = built("linear", (12, 12, 200))
    x = np.random.default_rng(0).normal(size=(2, 12, 12, 200)).astype(np.float32)
    pooled = keras.Model(model.input, model.layers[1].output)(x)  # to 6 × 6: windows of 2 × 2
    np.testing.assert_array_equal(pooled, x.reshape(2, 6, 2, 6, 2, 200).max(axis=(2, 4)))


@pytest.mark.parametrize("name", list(heads.NAMES))
def test_initial_weights_are_a_function_of_the_seed(name):
    first, again, other = (built(name, (4, 4, 8), seed=seed).get_weights() for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))
