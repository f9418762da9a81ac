"""E-SSL: its views and loss by hand, what it keeps, and a rotation recipe that becomes it."""

import keras
import numpy as np
import pytest
from keys import key_of
from small_training import LEAN, three_taps

from rotkeras import UserError, attention, pretext, recipe
from rotkeras.orient.network import find_orientation_file, load_orienter
from rotkeras.pretext import ESSL, SimCLR
from rotkeras.pretext.check import setting_mistake
from rotkeras.pretext.rotation import Rotation
from rotkeras.pretext.two_views import TwoViews
from rotkeras.run.folder import Run

SMALL_BASE = {"hidden_units": 8, "projection_units": 4}


@pytest.fixture
def task():
    return ESSL(base_settings=SMALL_BASE, rotation_weight=0.3, rotation_hidden_units=8)


@pytest.fixture
def pixels(digit_source):
    return digit_source.train.take(slice(0, 6))


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


def test_a_rotation_recipe_becomes_essl_by_one_line(tmp_path, eagerly):
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


BASES = {
    "simclr": SMALL_BASE,
    "moco": SMALL_BASE,
    "byol": {**SMALL_BASE, "solarize": 0.5},
    "simsiam": SMALL_BASE,
    "swav": {**SMALL_BASE, "prototypes": 8},
    "swav, small crops": {**SMALL_BASE, "prototypes": 8, "local_crops": 2},
    "barlow_twins": SMALL_BASE,
    "vicreg": SMALL_BASE,
    "amdim": SMALL_BASE,
}
"""Settings of every task of two views."""


def essl_on(line, **settings):
    return ESSL(base=line.split(",")[0], base_settings=BASES[line], **settings)


def test_all_tasks_of_two_views_are_bases():
    of_views = {name for name, make in pretext.NAMES.items() if issubclass(make, TwoViews)}
    assert {line.split(",")[0] for line in BASES} == of_views


@pytest.mark.parametrize("line", BASES)
def test_views_and_labels_of_every_base_are_the_same_inside_the_step(pixels, line):
    task, key = essl_on(line), key_of(6)
    x, y = task.views(pixels, key)
    drawn = task.draw(key)
    made, labels = task.apply(pixels, drawn), task.labels(drawn)
    assert made.keys() == x.keys()
    assert labels.keys() == y.keys() == {"base", "rotation"}
    for name in x:
        off = np.abs(np.asarray(made[name]).astype(int) - x[name])
        assert off.max() <= 3, name
        assert np.mean(off > 1) < 0.01, name
    for name in y:
        np.testing.assert_array_equal(np.reshape(labels[name], -1), y[name], name)
    # And they are those of the base alone.
    of_base, labels_of_base = task.task.views(pixels, key)
    np.testing.assert_array_equal(y["base"], labels_of_base)
    for name, each in (of_base if isinstance(of_base, dict) else {"views": of_base}).items():
        np.testing.assert_array_equal(x[name], each)


def test_what_the_base_needs_of_a_batch_is_needed():
    task = ESSL(base="moco", base_settings={"queue_size": 96})
    assert (task.spans_batch, task.least_images_per_batch) == (False, 1)
    assert setting_mistake(task, 48) is None
    assert setting_mistake(task, 64) == (
        "images_per_batch",
        "must divide task.base_settings.queue_size (96) for ESSL, got 64",
    )
    assert (ESSL().spans_batch, ESSL().least_images_per_batch) == (True, 2)
    assert setting_mistake(ESSL(), 48, 0.1) is not None
    # Not what it says itself.
    assert task.angles == (0, 90, 180, 270)
    assert not hasattr(task, "chance")


def test_crops_of_less_than_8_pixels_are_refused_before_training(task, pixels):
    words = r"rotation_size must make small crops of at least 8 pixels, got 0\.25; of 16 .* are 4"
    small = ESSL(base_settings=SMALL_BASE, rotation_size=0.25)
    for make in (
        lambda: small.views(pixels, key_of(6)),
        lambda: small.apply(pixels, small.draw(key_of(6))),
        lambda: small.build_model(three_taps()),
    ):
        with pytest.raises(UserError, match=words):
            make()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (
            {"base": "instance_discrimination"},
            r"base must be one of .*simclr.*, got 'instance_discrimination'",
        ),
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
