"""What is SimSiam's own: its heads and where its gradients stop."""

import keras
import numpy as np
import pytest
from small_training import three_taps

from rotkeras.pretext import SimSiam
from rotkeras.pretext.losses import negative_cosine


@pytest.fixture
def task():
    return SimSiam(hidden_units=8, hidden_layers=2, projection_units=6, prediction_units=4)


@pytest.fixture
def images(digit_source):
    return digit_source.train.take(slice(0, 8))


def test_the_heads_are_those_of_the_paper(task):
    model = task.build_model(three_taps())
    names = [each.name for each in model.layers]
    heads = names[names.index("pool") + 1 :]
    assert [each for each in heads if not each.startswith(("stack", "stop"))] == [
        *("projection_hidden1", "projection_norm1", "projection_relu1"),
        *("projection_hidden2", "projection_norm2", "projection_relu2"),
        *("projection_dense", "projection"),
        *("prediction_hidden1", "prediction_norm1", "prediction_relu1", "prediction"),
    ]
    last = model.get_layer("projection")
    assert not last.center
    assert not last.scale
    assert (model.get_layer("prediction_hidden1").units, model.output_shape) == (4, (None, 2, 6))


def test_its_loss_is_that_of_algorithm_1(task, images):
    model = task.build_model(three_taps())
    p, z = np.moveaxis(model.predict(images, verbose=0), 1, 0)
    p1, p2, z1, z2 = p[0::2], p[1::2], z[0::2], z[1::2]
    expected = np.mean(negative_cosine(p1, z2)) / 2 + np.mean(negative_cosine(p2, z1)) / 2
    assert float(task.loss()(np.zeros(8), np.stack([p, z], 1))) == pytest.approx(expected, rel=1e-5)
    projected = task.embedder(model).predict(images, verbose=0)
    np.testing.assert_allclose(projected, z, atol=1e-5)


def test_gradients_stop_at_targets(task, images):
    """The gradient is that of predictions against constants."""
    import tensorflow as tf

    model = task.build_model(three_taps())
    constants = tf.constant(model(images)[:, 1])
    kernels = [model.get_layer(name).kernel.value for name in ("block1_conv", "prediction")]
    found = []
    for targets in (None, constants):
        with tf.GradientTape() as tape:
            made = model(images)
            both = made if targets is None else tf.stack([made[:, 0], targets], axis=1)
            loss = task.loss()(np.zeros(8), both)
        found.append(tape.gradient(loss, kernels))
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-7)
        assert np.abs(one).max() > 0
    assert isinstance(model, keras.Model)
