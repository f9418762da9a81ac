import json
import subprocess
import sys

import numpy as np
import pytest

from rotkeras import UserError
from rotkeras.pretext.losses import nt_xent


def reference(z, temperature):
    """Equation 1 of Chen et al., ICML 2020, view by view in float64."""
    z = np.asarray(z, np.float64)
    z = z / np.linalg.norm(z, axis=1, keepdims=True)
    losses = []
    for i in range(len(z)):
        similarity = z @ z[i] / temperature
        others = [k for k in range(len(z)) if k != i]
        partner = i + 1 if i % 2 == 0 else i - 1
        losses.append(-np.log(np.exp(similarity[partner]) / np.exp(similarity[others]).sum()))
    return np.array(losses)


@pytest.mark.parametrize("temperature", [0.1, 0.5, 2.0])
@pytest.mark.parametrize("views", [4, 10, 64])
def test_it_is_the_equation(views, temperature):
    z = np.random.default_rng(views).normal(size=(views, 7)).astype(np.float32)
    found = np.asarray(nt_xent(z, temperature))
    np.testing.assert_allclose(found, reference(z, temperature), rtol=1e-5, atol=1e-6)


def test_by_hand():
    # Two images whose views are equal, and orthogonal to the other's: e^2 against 1, e^0 and e^0.
    z = np.array([[1, 0], [3, 0], [0, 2], [0, 1]], np.float32)
    expected = -np.log(np.e**2 / (np.e**2 + 2))
    np.testing.assert_allclose(np.asarray(nt_xent(z, 0.5)), [expected] * 4, rtol=1e-6)


def test_a_part_of_the_batch_has_the_losses_of_the_whole():
    z = np.random.default_rng(1).normal(size=(12, 5)).astype(np.float32)
    whole = np.asarray(nt_xent(z, 0.3))
    parts = [np.asarray(nt_xent(z[b : b + 4], 0.3, z, b)) for b in (0, 4, 8)]
    np.testing.assert_allclose(np.concatenate(parts), whole, rtol=1e-6)


def test_a_temperature_that_is_no_temperature():
    with pytest.raises(UserError, match="temperature must be at least 0.001, got 0"):
        nt_xent(np.zeros((4, 2), np.float32), 0.0)


TWO_REPLICAS = """
import json, keras, numpy as np, tensorflow as tf
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2)
from rotkeras import data, pretext
from rotkeras.training import devices
source = data.load("digits", image_size=16)
task, found = pretext.SimCLR(hidden_units=8, projection_units=4), {}
for count in (1, 2):
    keras.utils.set_random_seed(0)
    strategy = devices.strategy(count, 16)
    from contextlib import nullcontext
    with strategy.scope() if strategy else nullcontext():
        inputs = keras.Input((16, 16, 3), dtype="uint8")
        x = keras.layers.Conv2D(6, 3, strides=2)(keras.layers.Rescaling(1 / 255)(inputs))
        model = task.build_model(keras.Model(inputs, x))
        model.compile(keras.optimizers.SGD(0.1), task.loss(), metrics=task.metrics(), jit_compile=False)
    batches = data.pipeline(source.train, task, images_per_batch=16, seed=0)
    found[count] = model.fit(
        batches.dataset, steps_per_epoch=1, epochs=4, shuffle=False, verbose=0).history
print(json.dumps(found))
"""


@pytest.mark.long
def test_two_replicas_have_the_loss_and_the_gradients_of_one():
    done = subprocess.run(
        [sys.executable, "-c", TWO_REPLICAS], capture_output=True, text=True, check=True
    )
    found = json.loads(done.stdout.splitlines()[-1])
    # The later losses are those of weights that the gradients of both have changed.
    np.testing.assert_allclose(found["1"]["loss"], found["2"]["loss"], rtol=1e-5)
    np.testing.assert_allclose(found["1"]["accuracy"], found["2"]["accuracy"], atol=1e-6)
