"""What is SwAV's own: its small crops, and prototypes that wait."""

import keras
import numpy as np
import pytest
from small_training import three_taps

from rotkeras import UserError, data
from rotkeras.data.keyed import Key
from rotkeras.pretext import SwAV
from rotkeras.pretext.layers import Prototypes

KEY = Key(np.int64(3), np.int64(1), np.arange(6, dtype=np.int64), np.arange(6))
SMALL = {"prototypes": 5, "hidden_units": 8, "projection_units": 4}


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (6, 16, 16, 3), np.uint8)


def test_small_crops_are_cut_from_the_same_images():
    # Images of one grey level each, which no augmentation changes.
    levels = np.arange(10, 250, 40, dtype=np.uint8)
    flat = np.tile(levels[:, None, None, None], (1, 16, 16, 3))
    task = SwAV(**SMALL, local_crops=3, local_size=0.75, color_strength=0.0, grayscale=0.0)
    x, y = task.views(flat, KEY)
    assert x["views"].shape == (12, 16, 16, 3)
    assert x["crops"].shape == (18, 12, 12, 3)
    np.testing.assert_array_equal(x["views"][:, 0, 0, 0], np.repeat(levels, 2))
    np.testing.assert_array_equal(x["crops"][:, 0, 0, 0], np.repeat(levels, 3))
    np.testing.assert_array_equal(y, np.zeros(6))
    assert task.views_per_image() == 2 + 3 * 9 / 16


def test_views_do_not_depend_on_small_crops_which_all_differ(images):
    x, _ = SwAV(**SMALL).views(images, KEY)
    more, _ = SwAV(**SMALL, local_crops=2).views(images, KEY)
    np.testing.assert_array_equal(more["views"], x)
    for first, second in more["crops"].reshape(6, 2, 8, 8, 3):
        assert (first != second).any()


def test_small_crops_follow_their_scale(images):
    small = {"color_strength": 0.0, "grayscale": 0.0, "local_crops": 1}
    whole = SwAV(**SMALL, **small, local_size=1.0, local_crop_scale=(1.0, 1.0))
    x, _ = whole.views(images, KEY)
    for image, crop in zip(images, x["crops"], strict=True):
        assert any(np.array_equal(crop, each) for each in (image, image[:, ::-1]))
    drawn = SwAV(**SMALL, **small, local_crop_scale=(0.05, 0.1)).draw(KEY).astype(np.int64)
    areas = drawn[:, -3] * drawn[:, -2] / 2**32
    assert (areas > 0.04).all()
    assert (areas < 0.11).all()


def test_rectangles_have_square_small_crops_of_their_shorter_side(images):
    x, _ = SwAV(**SMALL, local_crops=1, local_size=0.75).views(images[:, :12], KEY)
    assert x["views"].shape == (12, 12, 16, 3)
    assert x["crops"].shape == (6, 9, 9, 3)
    with pytest.raises(UserError, match="local_size must make small crops of at least 8 pixels"):
        SwAV(**SMALL, local_crops=1).views(images[:, :12], KEY)


def test_small_images_need_no_small_crops(images):
    task = SwAV(**SMALL)
    x, _ = task.views(images[:, :12, :12], KEY)
    assert x.shape == (12, 12, 12, 3)
    made = np.asarray(task.apply(images[:, :12, :12], task.draw(KEY)))
    assert np.abs(made.astype(int) - x).max() <= 3


def test_the_scores_are_cosines_of_each_view_with_each_prototype(images):
    task = SwAV(**SMALL, local_crops=2, frozen_epochs=0.0)
    model = task.build_model(three_taps())
    x, _ = task.views(images, KEY)
    scores = np.asarray(model(x))
    assert scores.shape == (6, 4, 5)
    vectors = np.array(task.embedder(model)(x["views"]))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    kernel = np.array(model.get_layer("prototypes").kernel)
    kernel /= np.linalg.norm(kernel, axis=0)
    np.testing.assert_allclose(scores[:, :2].reshape(12, 5), vectors @ kernel, atol=1e-5)
    # One backbone for both sizes: other small crops change their own scores alone.
    other = np.asarray(model({**x, "crops": x["crops"][::-1]}))
    np.testing.assert_allclose(other[:, :2], scores[:, :2], atol=1e-6)
    assert np.abs(other[:, 2:] - scores[:, 2:]).max() > 1e-4
    assert task.network(model).input_shape == (None, 16, 16, 3)


def test_prototypes_learn_after_the_frozen_epochs(eagerly):
    part = data.load("digits", image_size=16).train.draw(32)
    task = SwAV(**SMALL, frozen_epochs=0.5)
    model = task.build_model(three_taps(), len(part))
    model.compile(keras.optimizers.SGD(0.5, momentum=0.9), task.loss(), metrics=task.metrics())
    batches = iter(data.pipeline(part, task, images_per_batch=8).dataset)
    layer, changed, seen = model.get_layer("prototypes"), [], []
    for _ in range(4):
        before = np.array(layer.kernel)
        model.train_on_batch(*next(batches))
        changed.append(bool((np.array(layer.kernel) != before).any()))
        seen.append(float(layer.seen))
    assert changed == [False, False, True, True]
    assert seen == [8, 16, 16, 16]


def test_a_number_of_images_is_needed_for_frozen_epochs():
    with pytest.raises(UserError, match="images must be the number of training images, got None"):
        SwAV(**SMALL).build_model(three_taps())


def test_wrong_layers_are_one_sentence():
    with pytest.raises(UserError, match="prototypes must be a whole number of at least 1, got 0"):
        Prototypes(0)
    with pytest.raises(UserError, match="frozen_images must be a whole number of at least 0"):
        Prototypes(4, -1)


def test_the_loss_has_the_settings():
    loss = SwAV(**SMALL, temperature=0.3, epsilon=0.1, iterations=2).loss()
    assert (loss.temperature, loss.epsilon, loss.iterations) == (0.3, 0.1, 2)
    assert SwAV(**SMALL).chance(64) == 1 / 5
