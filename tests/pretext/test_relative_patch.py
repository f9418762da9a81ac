"""Relative patch: its pairs by hand, what its model computes, what it keeps and shows."""

import keras
import numpy as np
import pytest
from keys import key_of
from small_training import three_taps

from rotkeras import UserError, backbones
from rotkeras.pretext import RelativePatch
from rotkeras.pretext.shortcut_views import POSITIONS

SMALL = {"gap": 0.2, "embedding_units": 8, "hidden_units": 8}


@pytest.fixture
def pixels(digit_source):
    return digit_source.train.take(slice(0, 6))


def cells_of(side, count=1):
    """Images whose nine cells have nine grey levels: 10 · (number of the cell)."""
    cell = np.arange(side) // (side // 3)
    levels = 10 * (3 * cell[:, None] + cell[None])
    return np.repeat(levels[None, :, :, None], 3, axis=3).repeat(count, axis=0).astype(np.uint8)


def test_all_pairs_are_nine_tiles_and_eight_positions():
    task = RelativePatch(gap=0.0, jitter=0.0, grayscale=0.0, standardize=False)
    x, y = task.views(cells_of(12, 2), key_of(2))
    assert x.shape == (18, 4, 4, 3)
    np.testing.assert_array_equal(x.mean(axis=(1, 2, 3)), [*range(0, 90, 10)] * 2)
    np.testing.assert_array_equal(y, [*range(8)] * 2)
    assert y.dtype == np.int32


def test_one_pair_is_the_centre_and_the_neighbour_of_the_label():
    task = RelativePatch(pairs="one", gap=0.0, jitter=0.0, grayscale=0.0, standardize=False)
    x, y = task.views(cells_of(12, 400), key_of(400))
    assert x.shape == (800, 4, 4, 3)
    levels = x.mean(axis=(1, 2, 3)).reshape(400, 2)
    assert (levels[:, 0] == 40).all()
    neighbours = np.array([0, 10, 20, 30, 50, 60, 70, 80])  # row by row without the centre
    np.testing.assert_array_equal(levels[:, 1], neighbours[y])
    assert np.bincount(y, minlength=8).min() > 25  # 50 are expected
    other, _ = task.views(cells_of(12, 400), key_of(400, epoch=2))
    assert not np.array_equal(other, x)
    words = [POSITIONS[number] for number in (0, 1, 3, 4, 7)]
    assert words == ["above left", "above", "left", "right", "below right"]


@pytest.mark.parametrize(("pairs", "passes"), [("all", 9), ("one", 2)])
def test_tiles_count_by_their_area(pairs, passes):
    task = RelativePatch(pairs=pairs, gap=0.25)
    assert task.views_per_image() == pytest.approx(passes * 0.25**2)


def test_its_logits_are_those_of_pairs_by_hand(pixels):
    keras.utils.set_random_seed(1)
    task = RelativePatch(**SMALL)
    model = task.build_model(three_taps())
    x, _ = task.views(pixels, key_of(6))
    logits = np.asarray(model(x))
    assert logits.shape == (48, 8)
    embeddings = keras.Model(model.input, model.get_layer("embedding_relu").output)(x)
    by_image = np.asarray(embeddings).reshape(6, 9, 8)
    rows = [
        np.concatenate([image[4], image[cell]])
        for image in by_image
        for cell in (0, 1, 2, 3, 5, 6, 7, 8)
    ]
    hidden = np.array(rows) @ np.asarray(model.get_layer("position_hidden1").kernel)
    hidden = np.maximum(hidden / np.sqrt(1 + 1e-5), 0)  # the first statistics of batch norm
    last = model.get_layer("position")
    expected = hidden @ np.asarray(last.kernel) + np.asarray(last.bias)
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-5)
    # The backbone sees each tile once.
    assert sum("block1_conv" in each.name for each in model.layers) == 1


def test_the_kept_network_has_the_weights_of_tiles_and_sees_whole_images(pixels):
    task = RelativePatch(**SMALL)
    backbone = three_taps()
    model = task.build_model(backbone)
    assert model.input_shape == (None, 4, 4, 3)
    kernel = model.get_layer("block1_conv").kernel
    kernel.assign(kernel + 0.5)  # as a step would
    network = task.network(model)
    assert network.input_shape == (None, 16, 16, 3)
    assert network.input.name == "images"
    np.testing.assert_array_equal(network(pixels), backbone(pixels))
    loaded = keras.models.clone_model(model)  # knows of the images too
    assert task.network(loaded).input_shape == (None, 16, 16, 3)


def test_images_need_not_be_square():
    task = RelativePatch(**{**SMALL, "gap": 0.25})
    model = task.build_model(backbones.nin(blocks=3, width=1 / 24, input_shape=(24, 34, 3)))
    assert model.input_shape == (None, 6, 8, 3)
    assert task.network(model).input_shape == (None, 24, 34, 3)
    x, _ = task.views(np.zeros((2, 24, 34, 3), np.uint8), key_of(2))
    assert x.shape == (18, 6, 8, 3)
    assert np.isfinite(np.asarray(model(x))).all()  # tiles of one colour


def test_tiles_of_cifar_10_pass_the_network_of_the_paper():
    model = RelativePatch().build_model(backbones.nin(blocks=4, width=1 / 24))
    assert model.input_shape == (None, 7, 7, 3)


def test_small_images_are_refused_before_the_first_step():
    with pytest.raises(UserError, match=r"gap must leave tiles .* got 0\.25; of images of 16×16"):
        RelativePatch().build_model(three_taps())


def test_a_precision_with_wrong_gradients_is_refused_before_the_first_step():
    before = keras.config.dtype_policy()
    try:
        keras.config.set_dtype_policy("mixed_bfloat16")
        with pytest.raises(
            UserError, match=r"precision must be float32 for tiles of 4×4 .* layer block3_conv"
        ):
            RelativePatch(**SMALL).build_model(three_taps())
        RelativePatch(**{**SMALL, "gap": 0.0}).build_model(three_taps())
    finally:
        keras.config.set_dtype_policy(before)


def test_its_picture_is_the_confusion_of_positions(digit_source):
    task = RelativePatch(**SMALL)
    model = task.build_model(three_taps())
    last = model.get_layer("position")
    last.kernel.assign(0 * last.kernel)
    last.bias.assign(np.eye(8, dtype=np.float32)[2])  # always "above right"
    (picture,) = task.pictures(model, digit_source.validation.draw(40), seed=0)
    expected = np.zeros((8, 8), np.int64)
    expected[:, 2] = 40
    np.testing.assert_array_equal(picture.counts, expected)
    assert picture.class_names == POSITIONS
    assert "12.5 % are right" in picture.caption
    (again,) = task.pictures(model, digit_source.validation.draw(40), seed=0)
    np.testing.assert_array_equal(again.counts, picture.counts)


def test_colours_tell_the_position_only_without_countermeasures(digit_source):
    """A ramp of grey over the image gives positions away by the mean of a tile, which standardised
    tiles no longer have."""
    ramp = np.zeros((64, 24, 24, 3), np.uint8)
    ramp[:] = 5 * (np.arange(24)[:, None, None] + np.arange(24)[None, :, None])
    told = {}
    for standardize in (False, True):
        task = RelativePatch(gap=0.25, standardize=standardize)
        x, _ = task.views(ramp, key_of(64))
        levels = x.reshape(64, 9, -1).mean(axis=2)
        told[standardize] = np.std(levels.mean(axis=0))
    assert told[False] > 20
    assert told[True] < 2
