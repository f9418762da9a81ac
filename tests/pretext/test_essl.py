"""E-SSL: its views and loss by hand, what it keeps, and a rotation recipe that becomes it."""

import keras
import numpy as np
import pytest
from small_training import LEAN, three_taps

from rotkeras import UserError, attention, pretext, recipe
from rotkeras.data.keyed import Key
from rotkeras.orient.network import find_orientation_file, load_orienter
from rotkeras.pretext import ESSL, SimCLR
from rotkeras.pretext.rotation import Rotation
from rotkeras.run.folder import Run

SMALL_BASE = {"hidden_units": 8, "projection_units": 4}


@pytest.fixture
def task():
    return ESSL(base_settings=SMALL_BASE, rotation_weight=0.3, rotation_hidden_units=8)


@pytest.fixture
def pixels(digit_source):
    return digit_source.train.take(slice(0, 6))


def key_of(count, seed=3, epoch=1):
    index = np.arange(count, dtype=np.int64)
    return Key(np.int64(seed), np.int64(epoch), index, index)


def test_two_views_are_those_of_the_base_task(task, pixels):
    x, y = task.views(pixels, key_of(6))
    views, partners = SimCLR(**SMALL_BASE).views(pixels, key_of(6))
    np.testing.assert_array_equal(x["views"], views)
    np.testing.assert_array_equal(y["base"], partners)


def test_the_third_view_is_one_small_crop_in_four_rotations(task, pixels):
    x, y = task.views(pixels, key_of(6))
    assert x["rotations"].shape == (24, 8, 8, 3)
    np.testing.assert_array_equal(y["rotation"], [0, 1, 2, 3] * 6)
    for number in range(6):
        crop = x["rotations"][4 * number]
        for turns in range(4):
            np.testing.assert_array_equal(x["rotations"][4 * number + turns], np.rot90(crop, turns))
    other, _ = task.views(pixels, key_of(6, epoch=2))
    assert not np.array_equal(other["rotations"], x["rotations"])


def test_a_third_view_of_the_whole_image_is_the_image(pixels):
    plain = {"color_strength": 0.0, "grayscale": 0.0}
    task = ESSL(base_settings=plain, rotation_size=1.0, rotation_crop_scale=(1.0, 1.0))
    x, _ = task.views(pixels, key_of(6))
    for number, image in enumerate(pixels):
        upright = x["rotations"][4 * number]
        assert any(np.array_equal(upright, each) for each in (image, image[:, ::-1]))


@pytest.mark.parametrize(("size", "passes"), [(0.5, 3.0), (1.0, 6.0), (0.25, 2.25)])
def test_a_small_crop_counts_by_its_area(size, passes):
    assert ESSL(rotation_size=size).views_per_image() == passes


def test_its_loss_is_that_of_the_base_task_and_a_share_of_the_rotations(task, pixels):
    keras.utils.set_random_seed(1)
    import tensorflow as tf

    model = task.build_model(three_taps())
    model.compile("sgd", task.loss(), metrics=task.metrics())
    x, y = task.views(pixels, key_of(6))
    batch = tf.data.Dataset.from_tensors((x, y))
    logged = model.evaluate(batch, verbose=0, return_dict=True)
    made = {name: np.asarray(each, np.float64) for name, each in model(x).items()}
    unit = made["base"] / np.linalg.norm(made["base"], axis=1, keepdims=True)
    pairs = []
    for view in range(12):  # equation 1 of SimCLR, temperature 0.5
        others = [np.exp(unit[view] @ unit[k] / 0.5) for k in range(12) if k != view]
        pairs.append(-np.log(np.exp(unit[view] @ unit[view ^ 1] / 0.5) / np.sum(others)))
    shares = np.exp(made["rotation"])
    shares /= shares.sum(axis=1, keepdims=True)
    turns = -np.mean(np.log(shares[np.arange(24), [0, 1, 2, 3] * 6]))
    assert logged["loss"] == pytest.approx(np.mean(pairs) + 0.3 * turns, rel=1e-4)
    right = np.mean(made["rotation"].argmax(axis=1) == [0, 1, 2, 3] * 6)
    assert logged["rotation_accuracy"] == pytest.approx(right)


def test_both_sizes_train_one_backbone(task, pixels):
    import tensorflow as tf

    model = task.build_model(three_taps())
    x, y = task.views(pixels, key_of(6))
    losses = task.loss()
    kernel = model.get_layer("block1_conv").kernel
    with tf.GradientTape(persistent=True) as tape:
        made = model(x, training=True)
        each = {name: tf.reduce_mean(losses[name](y[name], made[name])) for name in losses}
    for name, loss in each.items():
        assert np.abs(tape.gradient(loss, kernel.value)).max() > 0, name


def test_the_kept_network_predicts_rotations_of_whole_images(task, pixels):
    model = task.build_model(three_taps())
    network = task.network(model)
    assert network.input_shape == (None, 16, 16, 3)
    pooled = keras.Model(network.input, network.get_layer("pool").output)(pixels)
    by_hand = np.asarray(pooled)
    for number in (1, 2):
        dense = network.get_layer(f"rotation_hidden{number}")
        by_hand = by_hand @ np.asarray(dense.kernel) + np.asarray(dense.bias)
        mean, variance = by_hand.mean(axis=1, keepdims=True), by_hand.var(axis=1, keepdims=True)
        by_hand = np.maximum((by_hand - mean) / np.sqrt(variance + 1e-5), 0)
    last = network.layers[-1]
    by_hand = by_hand @ np.asarray(last.kernel) + np.asarray(last.bias)
    np.testing.assert_allclose(network(pixels), by_hand, atol=1e-4)
    assert isinstance(pretext.of_network(network), Rotation)


def test_a_rotation_recipe_becomes_essl_by_one_line(tmp_path):
    from rotkeras.training import train

    content = {
        **LEAN,
        "task": {"name": "essl", "base": "simclr"},
        "data": {**LEAN["data"], "train_images": 64},
        "train": {"epochs": 1, "images_per_batch": 16, "learning_rate": 0.02},
        "probe": {"every_epochs": 0, "train_images": 50},
    }
    run = Run(tmp_path / "run")
    summary = train(recipe.validate(content, "test"), run)
    facts = run.task_facts()
    assert facts.angles == (0, 90, 180, 270)
    assert facts.monitor.words == "rotation accuracy"
    assert 0 <= summary["metrics"]["val_rotation_accuracy"] <= 1
    images = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 3), np.uint8)
    network = keras.models.load_model(run.model)
    maps = attention.class_activation_maps(network, images, "gradcam")
    assert maps.shape == (3, 16, 16)
    orienter = load_orienter(find_orientation_file(run.path))
    assert orienter.angles == (0, 90, 180, 270)
    assert {each.angle for each in orienter.orient(images)} <= set(orienter.angles)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"base": "rotation"}, r"base must be one of .*simclr.*, got 'rotation'"),
        ({"base": "simclar"}, r"did you mean 'simclr'"),
        (
            {"base_settings": {"temprature": 1.0}},
            r"settings of simclr, got 'temprature'.*temperature",
        ),
        ({"base_settings": {"temperature": 0}}, r"base_settings: temperature must be at least"),
        ({"rotation_size": 0.0}, r"rotation_size must be greater than 0"),
    ],
)
def test_a_wrong_base_is_one_sentence(settings, words):
    with pytest.raises(UserError, match=words):
        ESSL(**settings)
