import keras
import numpy as np
import pytest

from rotkeras import UserError
from rotkeras.backbones import nin


def parameters_by_hand(blocks, scale=1):
    """Weights of the published layer table: convolutions without bias, batch norm with scale,
    offset and two statistics."""
    table = [
        [(5, 3, 192), (1, 192, 160), (1, 160, 96)],
        [(5, 96, 192), (1, 192, 192), (1, 192, 192)],
    ] + [[(3, 192, 192), (1, 192, 192), (1, 192, 192)]] * (blocks - 2)
    total = 0
    for block in table:
        for size, inputs, outputs in block:
            inputs = inputs if inputs == 3 else inputs // scale
            total += size * size * inputs * outputs // scale + 4 * outputs // scale
    return total


@pytest.mark.parametrize("blocks", [3, 4, 5])
def test_parameter_count_is_that_of_the_published_layer_table(blocks):
    assert nin(blocks).count_params() == parameters_by_hand(blocks)


def test_four_blocks_have_1_4_million_parameters():
    # 14400+30720+15360 + 460800+36864+36864 + 2·(331776+36864+36864), and 4·(448 + 576·3)
    assert nin(4).count_params() == 1_406_016 + 4 * 2_176


def test_a_quarter_of_the_width():
    assert nin(4, width=0.25).count_params() == parameters_by_hand(4, scale=4)


def test_every_tap_has_the_published_shape():
    model = nin(5)
    shapes = {f"conv{n}": model.get_layer(f"conv{n}").output.shape for n in range(1, 6)}
    assert shapes == {"conv1": (None, 16, 16, 96), "conv2": (None, 8, 8, 192)} | {
        f"conv{n}": (None, 8, 8, 192) for n in (3, 4, 5)
    }
    assert model.input.dtype == "uint8"


def pool_by_hand(x, reduce):
    """3×3, stride 2, one pixel of zeros on every side, whole windows only."""
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    count = (padded.shape[1] - 3) // 2 + 1
    windows = [
        [padded[:, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3] for j in range(count)]
        for i in range(count)
    ]
    return np.stack(
        [np.stack([reduce(w, axis=(1, 2)) for w in row], axis=1) for row in windows], axis=1
    )


@pytest.mark.parametrize(("block", "reduce"), [(1, np.max), (2, np.mean)])
@pytest.mark.parametrize("side", [16, 17])
def test_pooling_against_windows_cut_by_hand(block, reduce, side):
    model = nin(3, width=1 / 24, input_shape=(side, side, 3))
    before = model.get_layer(f"block{block}_3_relu").output
    after = model.get_layer(f"conv{block}").output
    images = np.random.default_rng(0).integers(0, 256, (2, side, side, 3), dtype=np.uint8)
    x, pooled = keras.Model(model.input, [before, after])(images)
    np.testing.assert_allclose(pooled, pool_by_hand(np.asarray(x), reduce), rtol=1e-5)


def test_normalisation_is_inside_and_in_float32():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = nin(3, width=1 / 24)
    finally:
        keras.config.set_dtype_policy("float32")
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    normalised = keras.Model(model.input, model.get_layer("normalization").output)(images)
    expected = (images - np.array([125.3, 123.0, 113.9])) / np.array([63.0, 62.1, 66.7])
    assert normalised.dtype == "float32"
    np.testing.assert_allclose(normalised, expected, atol=1e-5)


def test_initial_weights_and_batch_norm_are_the_published_ones():
    keras.utils.set_random_seed(0)
    model = nin(4)
    kernel = np.asarray(model.get_layer("block2_1_conv").kernel)
    assert kernel.std() == pytest.approx(np.sqrt(2 / (25 * 192)), rel=0.01)
    norm = model.get_layer("block2_1_norm")
    assert (norm.momentum, norm.epsilon) == (0.9, 1e-5)
    assert not any(
        layer.use_bias for layer in model.layers if isinstance(layer, keras.layers.Conv2D)
    )


def test_only_stock_layers_and_a_saved_file_gives_the_same_output(tmp_path, small_backbone):
    for layer in small_backbone.layers:
        assert type(layer).__module__.startswith("keras.")
    small_backbone.save(tmp_path / "backbone.keras")
    images = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3), dtype=np.uint8)
    loaded = keras.models.load_model(tmp_path / "backbone.keras")
    assert np.array_equal(loaded(images), small_backbone(images))
    assert [layer.name for layer in loaded.layers] == [
        layer.name for layer in small_backbone.layers
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        {"blocks": 2},
        {"width": 0},
        {"width": -1.0},
        {"input_shape": (32, 32, 1)},
        {"input_shape": (4, 4, 3)},
    ],
)
def test_what_cannot_be_built_is_refused(arguments):
    with pytest.raises(UserError, match=next(iter(arguments))):
        nin(**arguments)
