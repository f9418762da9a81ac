import json
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from small_training import LEAN

from rotkeras import UserError
from rotkeras.training import devices
from rotkeras.training.callbacks.metrics_log import read_metrics

SCRIPT = """
import json, shutil, sys, keras, numpy as np, tensorflow as tf
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2)
from contextlib import nullcontext
from pathlib import Path
from rotkeras import backbones, data, pretext
from rotkeras.backbones import weight_decay
from rotkeras.run import folder as run
from rotkeras.training import devices, optimizer, trainer as train
from rotkeras.recipe import validate
sys.path.append(sys.argv[2])
from small_training import quick_nin
# One network for all: collectives of networks that differ get in each other's way in one process of TensorFlow.
backbones.NAMES["nin"] = quick_nin
source = data.load("digits", image_size=16)
results = {}
for count in (1, 2):
    keras.utils.set_random_seed(0)
    strategy = devices.strategy(count, 8)
    assert (strategy is None) == (count == 1)
    task = pretext.Rotation()
    with strategy.scope() if strategy else nullcontext():
        model = task.build_model(quick_nin(synchronized_batch_norm=True))
        weight_decay.add_l2(model, 5e-4)
        recipe = validate({"data": {"embedded": "digits"}, "train": {"learning_rate": 0.05}}, "parity")
        model.compile(optimizer.build_optimizer(recipe.train, 20), task.loss(), metrics=task.metrics(), jit_compile=False)
    batches = data.pipeline(source.train, task, images_per_batch=8, seed=0)
    history = model.fit(batches.dataset, steps_per_epoch=1, epochs=20, shuffle=False, verbose=0).history
    seen = []
    if strategy:
        distributed = strategy.experimental_distribute_dataset(batches.dataset)
        x, y = next(iter(distributed))
        seen = [labels.numpy().tolist() for labels in strategy.experimental_local_results(y)]
        views = [v.numpy() for v in strategy.experimental_local_results(x)]
        assert all(np.array_equal(v[4 * i + k], np.rot90(v[4 * i], k)) for v in views for i in range(4) for k in range(4))
    weights = [float(np.abs(w).sum()) for w in model.get_weights()]
    results[count] = {"loss": history["loss"], "accuracy": history["accuracy"], "weights": weights, "seen": seen}

made = validate(json.loads(sys.stdin.read()), "test")
whole, resumed = (run.Run(Path(sys.argv[1]) / name) for name in ("whole", "resumed"))

class Keep(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        if epoch == 0:
            shutil.copytree(whole.path, resumed.path)

whole.check(made)
train.train(made, whole, callbacks=[Keep()])
resumed.check(made, resume=True)
train.train(made, resumed)
print(json.dumps(results))
"""


# In a process of its own: collectives of strategies with and without synchronised batch norm get in
# each other's way in TensorFlow.
FUSED = """
import json, keras, numpy as np, tensorflow as tf
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2)
from rotkeras import backbones, data, pretext
from rotkeras.training import devices
source = data.load("digits", image_size=16)
results = {}
for fused in (False, True):
    keras.utils.set_random_seed(0)
    strategy = devices.strategy(2, 8)
    with strategy.scope():
        inputs = keras.Input((16, 16, 3), dtype="uint8")
        x = keras.layers.Conv2D(4, 3, strides=2)(keras.layers.Rescaling(1 / 255)(inputs))
        x = keras.layers.BatchNormalization(momentum=0.9)(x)
        model = pretext.Rotation().build_model(keras.Model(inputs, x))
        assert (backbones.fuse_batch_norm(model) if fused else 1) == 1
        model.compile(keras.optimizers.SGD(0.1), pretext.Rotation().loss(), jit_compile=False)
    batches = data.pipeline(source.train, pretext.Rotation(), images_per_batch=8, seed=0)
    history = model.fit(batches.dataset, steps_per_epoch=1, epochs=4, shuffle=False, verbose=0).history
    results["fused" if fused else "stock"] = {"loss": history["loss"], "weights": [w.tolist() for w in model.get_weights()]}
print(json.dumps(results))
"""


@pytest.fixture(scope="module")
def on_two_devices(tmp_path_factory):
    """What the script found in a process of two devices, and the folder of its two runs."""
    settings = {"epochs": 2, "images_per_batch": 16, "devices": 2, "synchronized_batch_norm": True}
    content = {
        **LEAN,
        "data": {**LEAN["data"], "train_images": 64},
        "train": settings,
        "probe": {"every_epochs": 0},
    }
    folder = tmp_path_factory.mktemp("runs")
    code = [sys.executable, "-c", SCRIPT, str(folder), str(Path(__file__).parents[1])]
    output = subprocess.run(
        code, input=json.dumps(content), capture_output=True, text=True, check=False
    )
    assert output.returncode == 0, output.stderr[-3000:]
    return json.loads(output.stdout.splitlines()[-1]), folder


@pytest.mark.long
def test_two_replicas_give_the_losses_of_one_number_by_number(on_two_devices):
    """On the same global batches, with synchronised batch norm; and each replica gets whole
    quadruples."""
    one, two = on_two_devices[0].values()
    assert two["seen"] == [[0, 1, 2, 3] * 4] * 2
    assert len(one["loss"]) == 20
    np.testing.assert_allclose(two["loss"], one["loss"], rtol=2e-5)
    np.testing.assert_allclose(two["accuracy"], one["accuracy"], atol=1e-6)
    np.testing.assert_allclose(two["weights"], one["weights"], rtol=2e-4)
    assert one["loss"][-1] < one["loss"][0]


@pytest.mark.long
def test_fused_batch_norm_is_the_stock_one_where_each_replica_has_statistics_of_its_own():
    output = subprocess.run(
        [sys.executable, "-c", FUSED], capture_output=True, text=True, check=False
    )
    assert output.returncode == 0, output.stderr[-3000:]
    stock, fused = json.loads(output.stdout.splitlines()[-1]).values()
    np.testing.assert_allclose(fused["loss"], stock["loss"], rtol=1e-5)
    for one, other in zip(stock["weights"], fused["weights"], strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-4, atol=1e-5)


@pytest.mark.long
def test_a_run_on_two_devices_goes_on_from_what_its_first_epoch_left(on_two_devices):
    _, folder = on_two_devices
    whole, resumed = (
        keras.models.load_model(folder / name / "model.keras").get_weights()
        for name in ("whole", "resumed")
    )
    for one, other in zip(whole, resumed, strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-5, atol=1e-6)
    rows = read_metrics(folder / "resumed" / "metrics.jsonl")
    assert [row["epoch"] for row in rows] == [1, 2]
    assert rows[-1]["probe/conv2/ridge"] > 0.2


def test_one_device_needs_no_strategy():
    assert devices.strategy(None, 7) is None
    assert devices.strategy(1, 7) is None


def test_more_devices_than_there_are_is_refused():
    with pytest.raises(
        UserError, match=r"train\.devices must be at most 1 \(CPU\), the number of devices, got 99;"
    ):
        devices.strategy(99, 99)


def test_the_precision_is_put_back_also_after_an_error():
    with pytest.raises(RuntimeError, match="inside"), devices.precision("mixed_bfloat16"):
        assert keras.layers.Dense(1).compute_dtype == "bfloat16"
        raise RuntimeError("inside")
    assert keras.layers.Dense(1).compute_dtype == "float32"


@keras.saving.register_keras_serializable("test")
class WrongWhenCompiled(keras.layers.Layer):
    """Adds a number where a function is traced: what a fault of a compiler looks like."""

    def __init__(self, number, **arguments):
        super().__init__(**arguments)
        self.number = number

    def call(self, x):
        import tensorflow as tf

        return x if tf.executing_eagerly() else x + self.number

    def compute_output_shape(self, shape):
        return shape


@pytest.mark.parametrize(
    ("number", "words"),
    [(float("nan"), "are not finite"), (float("inf"), "are not finite"), (1.0, "differ by 1")],
)
def test_a_network_that_is_compiled_wrongly_is_refused(number, words):
    images = keras.Input((8, 8, 3), dtype="uint8")
    x = keras.layers.Rescaling(1 / 255)(images)
    x = WrongWhenCompiled(number)(x)
    network = keras.Model(images, keras.layers.GlobalAveragePooling2D()(x))
    with pytest.raises(UserError, match=f"TensorFlow 2.*wrongly in 16 bits.*{words}.*float32"):
        devices.check_compiled(network)


def test_a_network_that_is_compiled_rightly_is_taken(quick_backbone):
    devices.check_compiled(quick_backbone)
