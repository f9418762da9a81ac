"""Training on JAX: the results of TensorFlow, without TensorFlow, and checkpoints that cross."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from small_training import LEAN, QUICK_COMPILING, quick_nin

from rotkeras import backbones, recipe
from rotkeras.run.folder import Run
from rotkeras.training.callbacks.metrics_log import read_metrics
from rotkeras.training.trainer import train

pytestmark = pytest.mark.long

# A low rate: at a high one the last digits, in which any two libraries differ, grow from step to
# step.
SLOW = {
    **LEAN,
    "train": {**LEAN["train"], "epochs": 2, "learning_rate": 0.002},
    "probe": {"every_epochs": 0, "train_images": 100},
}

WITHOUT_TENSORFLOW = """
import importlib.util, json, sys

class Missing:
    def find_spec(self, name, *rest):
        if name.split(".")[0] == "tensorflow":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
there = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name.split(".")[0] == "tensorflow" else there(name, *rest)
from rotkeras import backbones, recipe
from rotkeras.training import devices
from rotkeras.cli.train_console import TrainConsole
from rotkeras.run import Run
import jax, keras
sys.path.append(sys.argv[2])
from small_training import quick_nin
backbones.NAMES["nin"] = quick_nin
assert keras.config.backend() == "jax"
made = recipe.validate(json.loads(sys.stdin.read()), "test")
run = Run(sys.argv[1])
if "evaluate" in sys.argv:
    from rotkeras.training.build import load_source
    from rotkeras.evaluate import Options, evaluate

    print(json.dumps(evaluate(run, [Options(**each) for each in json.loads(sys.argv[-1])], load_source(made))))
    sys.exit()
run.check(made, resume="resume" in sys.argv)
ask = devices.make_deterministic

asked = []

def in_time():  # JAX reads what is asked for when it starts
    assert asked or not jax._src.xla_bridge._backends
    asked.append(ask())

devices.make_deterministic = in_time
summary = TrainConsole().run(made, run)
assert "deterministic_ops" in __import__("os").environ["XLA_FLAGS"]
print(json.dumps(summary))
"""


def on_jax(content, folder, *arguments, flags=""):
    environment = {
        **os.environ,
        "KERAS_BACKEND": "jax",
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": f"{QUICK_COMPILING} {flags}",
    }
    command = [
        sys.executable,
        "-c",
        WITHOUT_TENSORFLOW,
        str(folder),
        str(Path(__file__).parent),
        *arguments,
    ]
    done = subprocess.run(
        command,
        input=json.dumps(content),
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """(folder, TensorFlow's summary, JAX's summary) of one recipe; after_one_epoch is TensorFlow's
    run as it was then."""
    pytest.importorskip("jax", reason="JAX is not installed: pip install 'rotkeras[jax]'")
    folder = tmp_path_factory.mktemp("both")

    class Keep(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 0:
                shutil.copytree(folder / "tensorflow", folder / "after_one_epoch")

    made, run = recipe.validate(SLOW, "test"), Run(folder / "tensorflow")
    run.check(made)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(backbones.NAMES, "nin", quick_nin)
        theirs = train(made, run, callbacks=[Keep()])
    return folder, theirs, on_jax(SLOW, folder / "jax")


def weights(path):
    return keras.models.load_model(path / "model.keras", compile=False).get_weights()


def test_the_same_recipe_gives_the_same_results_without_tensorflow(both):
    folder, theirs, ours = both
    assert (theirs["backend"], ours["backend"]) == ("tensorflow", "jax")
    for a, b in zip(
        read_metrics(folder / "tensorflow/metrics.jsonl"),
        read_metrics(folder / "jax/metrics.jsonl"),
        strict=True,
    ):
        assert b["loss"] == pytest.approx(a["loss"], rel=2e-3)
        assert b["accuracy"] == pytest.approx(a["accuracy"], abs=0.01)
        assert b["learning_rate"] == pytest.approx(a["learning_rate"], rel=1e-4)
    for tap, probes in theirs["probes"]["trained"].items():
        assert ours["probes"]["trained"][tap]["ridge"] == pytest.approx(probes["ridge"], abs=0.05)
    for one, other in zip(
        weights(folder / "tensorflow"), weights(folder / "jax"), strict=True
    ):  # JAX's file, read by TensorFlow
        if one.ndim > 1:  # kernels; of the smaller ones many are next to nothing
            assert np.linalg.norm(other - one) < 0.05 * np.linalg.norm(one)
    assert not (folder / "jax/tensorboard").exists()  # it takes TensorFlow to write


def test_a_run_goes_on_with_the_other_library_and_with_images_on_the_device(both):
    """Begun on TensorFlow with views of the host, resumed on JAX with views made inside the step:
    weights, optimizer, epoch cross."""
    folder, theirs, _ = both
    resident = {
        **SLOW,
        "train": {**SLOW["train"], "placement": "resident", "steps_per_execution": 1},
    }
    crossed = on_jax(resident, folder / "after_one_epoch", "resume")
    assert (crossed["epochs"], crossed["placement"]) == (2, "resident")
    rows = read_metrics(folder / "after_one_epoch/metrics.jsonl")
    assert rows[0]["loss"] == read_metrics(folder / "tensorflow/metrics.jsonl")[0]["loss"]
    assert rows[1]["loss"] == pytest.approx(theirs["metrics"]["loss"], rel=2e-3)


def test_an_evaluation_without_tensorflow_has_the_rows_of_one_with_it(both, tmp_path):
    """Closed form, kept features, and augmented images of few labels: each on its pipeline in
    NumPy."""
    from rotkeras.evaluate import Options, evaluate
    from rotkeras.training.build import load_source

    options = [
        {
            "probes": ("ridge", "knn-5", "nonlinear"),
            "taps": ("conv1",),
            "modes": ("frozen",),
            "scale": (0.5, 0.25),
        },
        {
            "probes": ("conv",),
            "labels_per_class": (10,),
            "modes": ("frozen",),
            "scale": (0.25, 0.25),
        },
    ]
    shutil.copytree(both[0] / "tensorflow", tmp_path / "one")
    shutil.copytree(both[0] / "tensorflow", tmp_path / "other")
    run = Run(tmp_path / "one")
    theirs = evaluate(run, [Options(**each) for each in options], load_source(run.load_recipe()))
    ours = on_jax(SLOW, tmp_path / "other", "evaluate", json.dumps(options))
    assert ours["network"] == theirs["network"]
    assert ours["images"] == theirs["images"]
    assert len(ours["rows"]) == len(theirs["rows"]) == 4
    measured = ("validation", "test", "seconds", "peak_memory_mib", "classifier", "epoch")
    for one, other in zip(theirs["rows"], ours["rows"], strict=True):
        assert {key: one[key] for key in one if key not in measured} == {
            key: other[key] for key in other if key not in measured
        }
        # Heads begin with weights of each library's own.
        closed = one["probe"] in ("ridge", "knn-5")
        assert other["test"]["accuracy"] == pytest.approx(
            one["test"]["accuracy"], abs=0.01 if closed else 0.25
        ), one["probe"]
        assert other["test"]["accuracy"] > 0.15


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("numpy", "KERAS_BACKEND must be tensorflow or jax, got 'numpy'."),
        ("torch", "KERAS_BACKEND must be tensorflow or jax, got 'torch'."),
    ],
)
def test_other_backends_are_refused_at_once(name, message, tmp_path):
    command = [
        sys.executable,
        "-m",
        "rotkeras",
        "train",
        "quickstart",
        "--run-dir",
        str(tmp_path / "run"),
    ]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "KERAS_BACKEND": name},
    )
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "run").exists()


def test_several_devices_of_one_process_whatever_is_left_over(tmp_path):
    """Three devices: neither the validation set nor the probes' batches split evenly. Views are
    made inside the step."""
    pytest.importorskip("jax", reason="JAX is not installed: pip install 'rotkeras[jax]'")
    train_settings = {
        **SLOW["train"],
        "epochs": 1,
        "images_per_batch": 15,
        "devices": 3,
        "placement": "device",
        "precision": "mixed_bfloat16",
    }
    content = {**SLOW, "data": {**SLOW["data"], "train_images": 60}, "train": train_settings}
    summary = on_jax(content, tmp_path / "run", flags="--xla_force_host_platform_device_count=3")
    assert summary["images"]["validation"] == 144
    assert summary["probes"]["trained"]["conv1"]["ridge"] > 0.2
