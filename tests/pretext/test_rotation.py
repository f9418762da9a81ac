import keras
import numpy as np
import pytest
import tensorflow as tf

from rotkeras import UserError
from rotkeras.data.randomness import Key
from rotkeras.pretext import Rotation


def key(count=6):
    zero = tf.constant(0, tf.int64)
    return Key(zero, zero, tf.range(count, dtype=tf.int64))


@pytest.mark.parametrize("angles", [(0, 90, 180, 270), (0, 180), (90, 270)])
def test_all_views_are_in_image_major_order(random_images, angles):
    x, y = Rotation(angles).views(tf.constant(random_images), key())
    count = len(angles)
    assert x.shape == (6 * count, 12, 12, 3)
    assert y.numpy().tolist() == list(range(count)) * 6
    for row, (view, label) in enumerate(zip(x.numpy(), y.numpy(), strict=True)):
        assert np.array_equal(view, np.rot90(random_images[row // count], angles[label] // 90))


def test_eight_angles_are_eight_different_views_and_opposite_ones_are_half_turns(random_images):
    x, y = Rotation(range(0, 360, 45)).views(tf.constant(random_images), key())
    views = x.numpy().reshape(6, 8, 12, 12, 3)
    assert x.dtype == tf.uint8
    assert y.numpy().tolist() == list(range(8)) * 6
    for image in views:
        assert len({view.tobytes() for view in image}) == 8
        for position in range(6):
            assert np.array_equal(image[position + 2], np.rot90(image[position]))


def test_one_view_draws_every_angle_about_as_often_and_labels_it_right():
    images = np.random.default_rng(0).integers(0, 256, (2000, 4, 4, 3), dtype=np.uint8)
    x, y = Rotation(views="one").views(tf.constant(images), key(2000))
    assert np.bincount(y.numpy(), minlength=4).min() > 440
    for image, view, label in zip(images, x.numpy(), y.numpy(), strict=True):
        assert np.array_equal(view, np.rot90(image, label))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"angles": (0,)}, "at least two"),
        ({"angles": (0, 0)}, "distinct"),
        ({"angles": (0, 30)}, "multiples of 45"),
        ({"angles": (0, 360)}, "from 0 to 315"),
        ({"views": "two"}, "views must be one of 'all', 'one', got 'two'"),
    ],
)
def test_what_is_not_offered_is_refused(arguments, words):
    with pytest.raises(UserError, match=words):
        Rotation(**arguments)


def test_oblong_images_are_refused():
    with pytest.raises(UserError, match="square images, got 8×9"):
        Rotation().views(tf.zeros((1, 8, 9, 3), tf.uint8), key(1))


def test_the_model_is_flat_and_its_logits_are_float32_under_mixed_precision(small_backbone):
    task = Rotation()
    model = task.build_model(small_backbone)
    assert not any(isinstance(layer, keras.Model) for layer in model.layers)
    assert model.output_shape == (None, 4)
    assert task.network(model) is model
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        assert Rotation().build_model(small_backbone).output.dtype == "float32"
    finally:
        keras.config.set_dtype_policy("float32")


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_the_loss_against_its_formula(smoothing):
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(10, 4)).astype(np.float32), rng.integers(0, 4, 10)
    target = np.eye(4)[labels] * (1 - smoothing) + smoothing / 4
    log_probability = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    expected = -(target * log_probability).sum(axis=1).mean()
    model = keras.Sequential([keras.Input((4,)), keras.layers.Identity()])
    model.compile(loss=Rotation().loss(smoothing))
    assert model.evaluate(logits, labels, verbose=0) == pytest.approx(expected, rel=1e-5)


def test_metrics_over_all_views_and_for_each_angle():
    labels = np.array([0, 0, 1, 1, 2, 2, 2, 2])
    predicted = np.array([0, 1, 1, 1, 2, 0, 2, 3])
    accuracy, per_angle = Rotation().metrics()
    for metric in (accuracy, per_angle):
        metric.update_state(labels[:4].reshape(1, 4), np.eye(4)[predicted[:4]].reshape(1, 4, 4))
        metric.update_state(labels[4:].reshape(1, 4), np.eye(4)[predicted[4:]].reshape(1, 4, 4))
    assert float(accuracy.result()) == pytest.approx(5 / 8)
    result = {name: float(value) for name, value in per_angle.result().items()}
    assert result == pytest.approx(
        {"accuracy/0": 0.5, "accuracy/90": 1.0, "accuracy/180": 0.5, "accuracy/270": 0.0}
    )
    weighted = Rotation().metrics()[1]
    weighted.update_state([0, 0], np.eye(4)[[0, 1]], sample_weight=[3.0, 1.0])
    assert float(weighted.result()["accuracy/0"]) == pytest.approx(0.75)
