import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest

from rotkeras import UserError, optimization
from rotkeras.recipe import validate
from rotkeras.training.build import build, load_source
from rotkeras.training.optimizer import build_optimizer, l2_in_loss

RATES = [0.5, 0.25, 0.1, 0.3]


def by_hand(start, gradients, momentum, trust, decay, nesterov):
    """The rule in NumPy's float64; RATES are the learning rates of the steps."""
    weight, velocity = np.array(start, np.float64), np.zeros_like(start, np.float64)
    for rate, gradient in zip(RATES, gradients, strict=True):
        update, ratio = np.array(gradient, np.float64), 1.0
        if weight.ndim > 1:
            update = update + decay * weight
            lengths = np.sqrt((weight**2).sum()), np.sqrt((update**2).sum())
            ratio = trust * lengths[0] / lengths[1] if min(lengths) > 0 else 1.0
        step = rate * ratio * update
        velocity = momentum * velocity + step
        weight = weight - (momentum * velocity + step if nesterov else velocity)
    return weight


def starts_and_gradients():
    rng = np.random.default_rng(0)
    starts = [
        rng.normal(size=(3, 3, 2, 4)).astype(np.float32),  # a kernel
        rng.normal(size=4).astype(np.float32),  # a bias
        np.zeros((2, 3), np.float32),  # weights of length 0
        rng.normal(size=(2, 2)).astype(np.float32),  # no gradient
    ]
    gradients = [[rng.normal(size=each.shape).astype(np.float32) for each in starts] for _ in RATES]
    for each in gradients:
        each[3][:] = 0
    return starts, gradients


def stepped(optimizer, starts, gradients):
    variables = [keras.Variable(each) for each in starts]
    for rate, each in zip(RATES, gradients, strict=True):
        optimizer.learning_rate = rate
        optimizer.apply([keras.ops.convert_to_tensor(g) for g in each], variables)
    return [keras.ops.convert_to_numpy(each) for each in variables]


@pytest.mark.parametrize(("nesterov", "decay"), [(False, 0.1), (True, 0.1), (False, 0.0)])
def test_steps_are_those_of_hand_arithmetic(nesterov, decay):
    starts, gradients = starts_and_gradients()
    lars = optimization.LARS(0.5, 0.9, 0.01, decay, nesterov)
    found = stepped(lars, starts, gradients)
    for position, start in enumerate(starts):
        these = [each[position] for each in gradients]
        expected = by_hand(start, these, 0.9, 0.01, decay, nesterov)
        np.testing.assert_allclose(found[position], expected, rtol=2e-5, atol=1e-6)
        assert decay == 0.0 or position == 1 or not np.array_equal(found[position], start)


def test_the_first_step_of_a_kernel_is_as_long_as_the_coefficient_says():
    kernel = keras.Variable(np.full((2, 2), 3.0, np.float32))
    optimization.LARS(1.0, 0.9, 0.25, 0.0).apply(
        [keras.ops.convert_to_tensor(np.full((2, 2), 1e-4, np.float32))], [kernel]
    )
    np.testing.assert_allclose(keras.ops.convert_to_numpy(kernel), np.full((2, 2), 2.25), rtol=1e-6)


@pytest.mark.long
def test_on_jax_the_steps_are_those_of_tensorflow(tmp_path):
    """In a process of its own, compiled."""
    starts, gradients = starts_and_gradients()
    expected = stepped(optimization.LARS(0.5, 0.9, 0.01, 0.1), starts, gradients)
    np.savez(tmp_path / "given.npz", *starts, *[g for each in gradients for g in each])
    script = f"""
import jax, json, keras, numpy as np
from rotkeras.optimization import LARS
given = list(np.load({str(tmp_path / "given.npz")!r}).values())
variables = [keras.Variable(each) for each in given[:4]]
optimizer = LARS(0.5, 0.9, 0.01, 0.1)
optimizer.build(variables)
step = jax.jit(optimizer.stateless_apply)
values, state = [each.value for each in variables], [each.value for each in optimizer.variables]
where = [each.path for each in optimizer.variables].index(optimizer.learning_rate.path)
for number, rate in enumerate({RATES}):
    state[where] = jax.numpy.float32(rate)
    values, state = step(state, given[4 + 4 * number : 8 + 4 * number], values)
print(json.dumps([np.asarray(each).ravel().tolist() for each in values]))
"""
    result = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        env={**os.environ, "KERAS_BACKEND": "jax"},
    )
    assert result.returncode == 0, result.stderr
    for found, each in zip(json.loads(result.stdout.splitlines()[-1]), expected, strict=True):
        np.testing.assert_allclose(found, each.ravel(), rtol=1e-5, atol=1e-6)


def digits_and_model(optimizer):
    from sklearn.datasets import load_digits

    digits = load_digits()
    keras.utils.set_random_seed(0)
    inputs = keras.Input((64,))
    hidden = keras.layers.BatchNormalization()(keras.layers.Dense(32)(inputs))
    outputs = keras.layers.Dense(10)(keras.layers.ReLU()(hidden))
    model = keras.Model(inputs, outputs)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss, metrics=["accuracy"])
    return digits.data.astype(np.float32) / 16, digits.target, model


def test_a_loaded_model_trains_on_as_the_saved_one(tmp_path):
    x, y, model = digits_and_model(optimization.LARS(1.0, 0.9, 0.01, 1e-4, True))
    model.fit(x, y, batch_size=256, epochs=3, shuffle=False, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert type(loaded.optimizer) is optimization.LARS
    assert loaded.optimizer.get_config() == model.optimizer.get_config()
    assert loaded.optimizer.get_config()["weight_decay"] == 1e-4
    histories = [
        each.fit(x, y, batch_size=256, epochs=4, shuffle=False, verbose=0).history["loss"]
        for each in (model, loaded)
    ]
    assert histories[0] == histories[1]
    assert histories[0][-1] < histories[0][0]
    assert model.evaluate(x, y, verbose=0)[1] > 0.5


def test_in_mixed_precision_its_state_is_float32():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        x, y, model = digits_and_model(optimization.LARS(0.3))
        model.train_on_batch(x[:32], y[:32])
    finally:
        keras.config.set_dtype_policy("float32")
    assert {each.dtype for each in model.optimizer.momentums} == {"float32"}
    assert all(np.isfinite(each).all() for each in model.get_weights())


def test_one_of_several_optimizers_may_be_lars():
    x, y, model = digits_and_model("sgd")
    dense = model.layers[-1]
    frozen = keras.optimizers.SGD(0.0)
    several = keras.optimizers.MultiOptimizer(
        lambda variable: (
            optimization.LARS(1.0, 0.0, 0.5, 0.0) if variable.path == dense.kernel.path else frozen
        )
    )
    model.compile(several, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    before = {each.path: np.array(each) for each in model.trainable_variables}
    model.train_on_batch(x[:64], y[:64])
    changed = {
        each.path: np.linalg.norm(np.array(each) - before[each.path])
        for each in model.trainable_variables
    }
    moved = changed.pop(dense.kernel.path)
    assert moved == pytest.approx(0.5 * np.linalg.norm(before[dense.kernel.path]), rel=1e-4)
    assert set(changed.values()) == {0.0}


TWO_DEVICES = """
import json, keras, numpy as np, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from contextlib import nullcontext
from rotkeras.optimization import LARS
x = np.random.default_rng(0).normal(size=(32, 5)).astype(np.float32)
y = (x[:, :1] > 0).astype(np.float32)
found = []
for strategy in (None, tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])):
    keras.utils.set_random_seed(0)
    with strategy.scope() if strategy else nullcontext():
        model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(4), keras.layers.Dense(1)])
        model.compile(LARS(0.5, 0.9, 0.05, 0.01), "mse")
    model.fit(x, y, batch_size=16, epochs=4, shuffle=False, verbose=0)
    found.append([each.ravel().tolist() for each in model.get_weights()])
print(json.dumps(found))
"""


@pytest.mark.long
def test_two_devices_step_as_one():
    result = subprocess.run(
        [sys.executable, "-c", TWO_DEVICES], capture_output=True, text=True, env=os.environ
    )
    assert result.returncode == 0, result.stderr
    one, two = json.loads(result.stdout.splitlines()[-1])
    for each, other in zip(one, two, strict=True):
        np.testing.assert_allclose(each, other, rtol=1e-4, atol=1e-6)


def test_a_recipe_names_it_and_its_decay_is_no_term_of_the_loss():
    made = validate(
        {
            "data": {"embedded": "digits", "image_size": 16, "train_images": 64},
            "backbone": {"blocks": 3, "width": 1 / 24},
            "train": {
                "learning_rate": 4.8,
                "images_per_batch": 16,
                "optimizer": {"name": "lars", "weight_decay": 1e-5, "trust_coefficient": 0.002},
            },
        },
        "test",
    )
    lars = build_optimizer(made.train, 10)
    assert float(lars.learning_rate) == pytest.approx(4.8)
    assert (lars.momentum, lars.nesterov) == (0.9, False)
    assert (lars.trust_coefficient, lars.decay_in_gradient) == (0.002, 1e-5)
    assert lars.weight_decay is None
    assert l2_in_loss(made.train) == 0.0
    _, model = build(made, load_source(made), (16, 16, 3))
    assert model.losses == []


@pytest.mark.parametrize(
    ("optimizer", "words"),
    [
        (
            {"name": "lars", "weight_decay_as": "decoupled"},
            "train.optimizer.weight_decay_as is not a key of lars",
        ),
        ({"name": "lars", "trust_coefficient": 0}, "train.optimizer.trust_coefficient must be"),
        ({"name": "lars", "momentum": 1}, "train.optimizer.momentum must be less than 1, got 1"),
    ],
)
def test_wrong_settings_are_refused(optimizer, words):
    with pytest.raises(UserError) as error:
        validate({"data": {"embedded": "digits"}, "train": {"optimizer": optimizer}}, "test")
    assert words in str(error.value)


def test_wrong_arguments_are_refused():
    for wrong in ({"momentum": 1.0}, {"trust_coefficient": 0.0}, {"weight_decay": -1.0}):
        with pytest.raises(UserError, match=f"{next(iter(wrong))} must be"):
            optimization.LARS(0.1, **wrong)
        with pytest.raises(UserError, match=f"{next(iter(wrong))} must be"):
            optimization.lars(**wrong)
