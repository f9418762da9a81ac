import json
import os
import shutil
import subprocess
import sys

import keras
import numpy as np
import pytest
from small_training import LEAN, quick_nin

from rotkeras import UserError, backbones, recipe
from rotkeras.run.folder import Run
from rotkeras.training.build import build, load_source
from rotkeras.training.callbacks import AveragedWeights
from rotkeras.training.callbacks.averaged_weights import averages
from rotkeras.training.callbacks.metrics_log import read_metrics
from rotkeras.training.callbacks.run_checkpoint import restore
from rotkeras.training.trainer import train

MOMENTUM = 0.75


class Noted(keras.callbacks.Callback):
    """Keeps the kernel at some moments, and what each step left."""

    def __init__(self, steps=False):
        super().__init__()
        self.kernels, self.steps = [], steps

    def kernel(self):
        return np.array(keras.ops.convert_to_numpy(self.model.trainable_variables[0]))

    def on_train_batch_end(self, batch, logs=None):
        if self.steps:
            self.kernels.append(self.kernel())

    def on_epoch_end(self, epoch, logs=None):
        if not self.steps:
            self.kernels.append(self.kernel())

    def on_test_batch_end(self, batch, logs=None):
        if not self.steps:
            self.kernels.append(self.kernel())


def line():
    """A line to fit, and a model of one kernel."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(24, 3)).astype(np.float32)
    y = x @ np.array([[1.0], [-2.0], [0.5]], np.float32)
    keras.utils.set_random_seed(0)
    return x, y, keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, use_bias=False)])


@pytest.mark.parametrize("scaled", [False, True], ids=["plain", "loss scale"])
def test_averages_are_those_of_hand_arithmetic_where_they_are_wanted_and_nowhere_else(scaled):
    x, y, model = line()
    sgd = keras.optimizers.SGD(0.1, momentum=0.9, use_ema=True, ema_momentum=MOMENTUM)
    model.compile(keras.optimizers.LossScaleOptimizer(sgd, 1.0) if scaled else sgd, "mse")
    averaged, stepped, seen, after = AveragedWeights(), Noted(steps=True), Noted(), Noted()
    model.fit(
        x,
        y,
        batch_size=8,
        epochs=3,
        shuffle=False,
        verbose=0,
        validation_data=(x[:8], y[:8]),
        callbacks=[stepped, averaged, seen, averaged.put_back, after],
    )
    expected, by_hand = [], None
    for kernel in stepped.kernels:
        by_hand = kernel if by_hand is None else MOMENTUM * by_hand + (1 - MOMENTUM) * kernel
        expected.append(by_hand)
    # Three steps an epoch; a validation and an end of the epoch after each third.
    for number, kernel in enumerate(seen.kernels):
        np.testing.assert_allclose(kernel, expected[3 * (number // 2) + 2], rtol=1e-5)
    assert len(seen.kernels) == 6
    trained = [stepped.kernels[at] for at in (2, 5, 8)]
    for kernel, there in zip(after.kernels[1::2], trained, strict=True):
        np.testing.assert_array_equal(kernel, there)
    np.testing.assert_allclose(model.get_weights()[0], expected[-1], rtol=1e-5)
    assert not np.allclose(expected[-1], trained[-1], rtol=1e-3)


def test_training_is_that_without_it_bit_for_bit():
    found = []
    for callbacks in ([], [AveragedWeights()]):
        x, y, model = line()
        model.compile(keras.optimizers.Adam(0.05, use_ema=True, ema_momentum=MOMENTUM), "mse")
        stepped = Noted(steps=True)
        options = {"batch_size": 8, "epochs": 4, "shuffle": False, "verbose": 0}
        # Without `put_back`: the next epoch returns the weights.
        model.fit(x, y, validation_data=(x, y), callbacks=[stepped, *callbacks], **options)
        found.append((stepped.kernels, model.get_weights()))
    np.testing.assert_array_equal(found[0][0], found[1][0])
    np.testing.assert_array_equal(found[0][1], found[1][1])


def test_an_optimizer_without_averages_is_refused():
    x, y, model = line()
    model.compile("sgd", "mse")
    with pytest.raises(UserError, match="AveragedWeights needs an optimizer that keeps averages"):
        model.fit(x, y, verbose=0, callbacks=[AveragedWeights()])


CONTENT = {
    **LEAN,
    "train": {**LEAN["train"], "epochs": 3, "ema_momentum": 0.9},
    "probe": {"every_epochs": 1, "train_images": 100},
    "quality": {"every_epochs": 1, "images": 32, "views": 2},
}


class Copy(keras.callbacks.Callback):
    """Copies the run after an epoch: what a kill at that moment leaves."""

    def __init__(self, run, path, epoch):
        super().__init__()
        self.run, self.path, self.epoch = run, path, epoch

    def on_epoch_end(self, epoch, logs=None):
        if epoch + 1 == self.epoch:
            shutil.copytree(self.run.path, self.path)


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    """A run that was never stopped, and what it had after its second and third epoch."""
    patch = pytest.MonkeyPatch()
    patch.setitem(backbones.NAMES, "nin", quick_nin)
    folder = tmp_path_factory.mktemp("averaged")
    made, run = recipe.validate(CONTENT, "test"), Run(folder / "run")
    copies = [Copy(run, folder / f"epoch{epoch}", epoch) for epoch in (2, 3)]
    summary = train(made, run, callbacks=copies)
    yield run, folder, summary
    patch.undo()


def weights_of(path):
    return keras.models.load_model(path, compile=False).get_weights()


@pytest.mark.parametrize("epoch", [2, 3])
def test_a_killed_and_resumed_run_ends_as_the_unbroken_one(epoch, unbroken, tmp_path):
    run, folder, summary = unbroken
    resumed = Run(shutil.copytree(folder / f"epoch{epoch}", tmp_path / "resumed"))
    assert not resumed.model.exists()
    again = train(recipe.validate(CONTENT, "test"), resumed, resume=True)
    for name in ("model.keras", "encoder.keras", "encoder-last.keras"):
        pairs = zip(weights_of(run.path / name), weights_of(resumed.path / name), strict=True)
        assert all(np.array_equal(one, other) for one, other in pairs), name
    for measured in ("probes", "quality"):
        assert again[measured] == summary[measured]
    timed = ("seconds", "per_second", "input_wait")
    for row, other in zip(read_metrics(run.metrics), read_metrics(resumed.metrics), strict=True):
        same = {key for key in row if not key.endswith(timed)}
        assert {key: row[key] for key in same} == {key: other[key] for key in same}


def test_what_is_kept_validated_and_probed_are_the_averages(unbroken):
    run, _, summary = unbroken
    made = recipe.validate(CONTENT, "test")
    source = load_source(made)
    task, model = build(made, source, source.image_shape)
    restore(run.checkpoints, model)
    trained = model.get_weights()
    kept = weights_of(run.model)
    pairs = averages(model)
    assert len(pairs) == len(model.trainable_variables)
    for weight, average in pairs:
        weight.assign(average)
    for one, other in zip(model.get_weights(), kept, strict=True):
        np.testing.assert_array_equal(one, other)
    assert any(
        not np.allclose(one, other, rtol=1e-3) for one, other in zip(trained, kept, strict=True)
    )
    from rotkeras.training.build import build_validation
    from rotkeras.training.callbacks import ProbeAccuracy

    found = model.evaluate(build_validation(made, source, task), verbose=0, return_dict=True)
    row = read_metrics(run.metrics)[-1]
    assert found["loss"] == pytest.approx(row["val_loss"], rel=1e-5)
    probe = ProbeAccuracy(source, train_images=100, seed=made.train.seed)
    assert probe.probe(task.network(model)) == summary["probes"]["trained"]


SCRIPT = """
import json, sys, keras, numpy as np
from contextlib import nullcontext
strategy = None
if sys.argv[1] == "devices":
    import tensorflow as tf
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
from rotkeras.training.callbacks import AveragedWeights
rng = np.random.default_rng(0)
x = rng.normal(size=(24, 3)).astype(np.float32)
y = x @ np.array([[1.0], [-2.0], [0.5]], np.float32)
with strategy.scope() if strategy else nullcontext():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, use_bias=False)])
    model.compile(keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.75), "mse")
model.set_weights([np.full((3, 1), 0.5, np.float32)])
averaged = AveragedWeights()
class Noted(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.kernels = []
    def on_epoch_end(self, epoch, logs=None):
        kernel = keras.ops.convert_to_numpy(self.model.trainable_variables[0])
        self.kernels.append(np.array(kernel).ravel().tolist())
seen, after = Noted(), Noted()
model.fit(x, y, batch_size=8, epochs=3, shuffle=False, verbose=0, validation_data=(x, y),
          callbacks=[averaged, seen, averaged.put_back, after])
print(json.dumps([seen.kernels, after.kernels, model.get_weights()[0].ravel().tolist()]))
"""


@pytest.mark.parametrize("where", ["devices", "jax"])
@pytest.mark.long
def test_on_two_devices_and_on_jax(where):
    """In a process of its own, against hand arithmetic in NumPy."""
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT, where],
        capture_output=True,
        text=True,
        env={**os.environ, "KERAS_BACKEND": "jax" if where == "jax" else "tensorflow"},
    )
    assert result.returncode == 0, result.stderr
    x, y, _ = line()
    kernel, average, seen, after = np.full((3, 1), 0.5), None, [], []
    for _ in range(3):
        for start in (0, 8, 16):
            part, wanted = x[start : start + 8], y[start : start + 8]
            kernel = kernel - 0.1 * 2 / 8 * part.T @ (part @ kernel - wanted)
            average = kernel if average is None else MOMENTUM * average + 0.25 * kernel
        seen.append(average.ravel())
        after.append(kernel.ravel())
    found = json.loads(result.stdout.splitlines()[-1])
    for one, other in zip(found, [seen, after, seen[-1]], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4)
