"""Trainings in processes of their own: killed, interrupted, resumed, on two devices, and compiled."""

import json
import os
import signal
import subprocess
import sys
import time

import keras
import numpy as np
import pytest
from small_training import SMALL

from rotkeras import recipe
from rotkeras.callbacks.metrics_log import read_metrics
from rotkeras.run import Run
from rotkeras.train import train


def test_an_interrupt_that_a_library_swallows_still_stops_after_the_step():
    from rotkeras.cli.train_console import TrainConsole

    console = TrainConsole()
    console._check([])
    with pytest.raises(KeyboardInterrupt):
        console._check([signal.SIGINT])


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run that was never stopped."""
    made = recipe.validate(SMALL, "test")
    run = Run(tmp_path_factory.mktemp("whole") / "run")
    run.check(made)
    return train(made, run), run


def begin(run, made):
    run.check(made)
    run.begin(made)


def command(run, *more):
    return [sys.executable, "-m", "rotkeras", "train", str(run.recipe), "--run-dir", str(run.path), "--resume", *more]


def kill_once(run, until):
    """Start the run, wait until something holds, and kill -9."""
    process = subprocess.Popen(command(run), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        deadline = time.monotonic() + 120
        while not until():
            assert process.poll() is None, process.stderr.read().decode()[-2000:]
            assert time.monotonic() < deadline
            time.sleep(0.005)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def test_after_kill_9_the_resumed_run_ends_with_the_same_weights_bit_for_bit(whole, tmp_path):
    _, finished = whole
    run = Run(tmp_path / "killed")
    begin(run, finished.load_recipe())
    state = run.checkpoints / "state.json"
    kill_once(run, lambda: state.exists())  # in the second epoch, or while the first one's files are written
    kill_once(run, lambda: run.metrics.exists() and len(read_metrics(run.metrics)) == 3)  # between a log and its checkpoint
    result = subprocess.run(command(run), capture_output=True, text=True, check=True)
    assert "resuming after epoch" in result.stdout
    for name in ("model.keras", "encoder.keras", "encoder-last.keras"):
        ours, theirs = (keras.models.load_model(each.path / name).get_weights() for each in (run, finished))
        assert all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True)), name
    ignored = {"views_per_second", "input_wait", "probe/seconds"}
    ours, theirs = (
        [{k: v for k, v in row.items() if k not in ignored} for row in read_metrics(r.metrics)] for r in (run, finished)
    )
    assert ours == theirs
    assert not list(run.path.rglob(".part-*"))
    again = subprocess.run(command(run), capture_output=True, text=True, check=True)
    assert "has ended after 4 epochs; there is nothing to resume" in again.stdout


def test_ctrl_c_leaves_a_run_to_resume_and_says_how(whole, tmp_path):
    _, finished = whole
    run = Run(tmp_path / "stopped")
    begin(run, finished.load_recipe())
    process = subprocess.Popen(command(run), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not (run.checkpoints / "state.json").exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert f"Go on with: rotkeras train {run.recipe} --run-dir {run.path} --resume" in error
    assert "Traceback" not in error


SEVERAL = """
import sys, json, keras, numpy as np, tensorflow as tf
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2)
from pathlib import Path
from rotkeras import recipe, run, train
made = recipe.validate(json.loads(sys.stdin.read()), "test")

class Stop(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        raise KeyboardInterrupt

for name, callbacks in (("whole", []), ("stopped", [Stop()]), ("stopped", [])):
    folder = run.Run(Path(sys.argv[1]) / name)
    folder.check(made, resume=True)
    try:
        train.train(made, folder, callbacks=callbacks)
    except KeyboardInterrupt:
        print("stopped")
"""


def test_a_run_on_two_devices_is_stopped_and_resumed(tmp_path):
    settings = {"epochs": 2, "images_per_batch": 16, "devices": 2, "synchronized_batch_norm": True}
    content = {**SMALL, "data": {**SMALL["data"], "train_images": 64}, "train": settings, "probe": {"every_epochs": 0}}
    code = [sys.executable, "-c", SEVERAL, str(tmp_path)]
    result = subprocess.run(code, input=json.dumps(content), capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr[-2000:]
    assert "stopped" in result.stdout
    whole_run, resumed = (keras.models.load_model(tmp_path / name / "model.keras").get_weights() for name in ("whole", "stopped"))
    for one, other in zip(whole_run, resumed, strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-5, atol=1e-6)
    rows = read_metrics(tmp_path / "stopped" / "metrics.jsonl")
    assert [row["epoch"] for row in rows] == [1, 2]
    assert rows[-1]["probe/conv2/ridge"] > 0.2


def test_xla_compiles_the_step(tmp_path):
    """In a process of its own: op determinism, which other tests turn on, turns XLA off."""
    made = recipe.validate({**SMALL, "train": {"epochs": 1, "images_per_batch": 16, "xla": True, "deterministic": False}}, "test")
    run = Run(tmp_path / "run")
    begin(run, made)
    result = subprocess.run(
        command(run), capture_output=True, text=True, check=True, env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "0"}
    )
    assert "jit_compile=False" not in result.stderr
    assert "Compiled cluster using XLA" in result.stderr
