"""Trainings in processes of their own: compiled, interrupted, killed, and resumed."""

import os
import shutil
import signal
import subprocess
import sys
import time

import keras
import numpy as np
import pytest
from click.testing import CliRunner
from small_training import LEAN, QUICK_COMPILING

from rotkeras import recipe
from rotkeras.cli import main
from rotkeras.run.folder import Run
from rotkeras.training.callbacks.metrics_log import read_metrics


def test_an_interrupt_that_a_library_swallows_still_stops_after_the_step():
    from rotkeras.cli.train_console import TrainConsole

    console = TrainConsole()
    console._check([])
    with pytest.raises(KeyboardInterrupt):
        console._check([signal.SIGINT])


def begin(run, made):
    run.check(made)
    run.begin(made)


def command(run, *more):
    return [
        sys.executable,
        "-m",
        "rotkeras",
        "train",
        str(run.recipe),
        "--run-dir",
        str(run.path),
        "--resume",
        *more,
    ]


@pytest.mark.long
def test_xla_compiles_the_step(tmp_path):
    """In a process of its own: op determinism, which other tests turn on, turns XLA off. Without
    validation there is one step to
    compile, and no probe."""
    few = {**LEAN["data"], "train_images": 16, "validation_fraction": 0.0}
    train = {"epochs": 1, "images_per_batch": 16, "xla": True, "deterministic": False}
    run = Run(tmp_path / "run")
    begin(run, recipe.validate({**LEAN, "data": few, "train": train}, "test"))
    result = subprocess.run(
        command(run),
        capture_output=True,
        text=True,
        check=True,
        env={
            **os.environ,
            "ROTKERAS_TENSORFLOW_LOG": "1",
            "TF_CPP_MIN_LOG_LEVEL": "0",
            "XLA_FLAGS": QUICK_COMPILING,
        },
    )
    assert "jit_compile=False" not in result.stderr
    assert "Compiled cluster using XLA" in result.stderr


@pytest.fixture(scope="module")
def interrupted(trained, tmp_path_factory):
    """The same run in a process of its own, stopped by Ctrl-C in its second epoch; and how that
    process ended."""
    run = Run(tmp_path_factory.mktemp("interrupted") / "run")
    begin(run, trained[1].load_recipe())
    process = subprocess.Popen(
        command(run), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    while not (run.checkpoints / "state.json").exists():
        assert process.poll() is None, process.stderr.read()[-2000:]
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    return run, process.returncode, error


def test_ctrl_c_leaves_a_run_to_resume_and_says_how(interrupted):
    run, code, error = interrupted
    assert code == 130
    assert f"Resume with: rotkeras train {run.recipe} --run-dir {run.path} --resume" in error
    assert "Traceback" not in error


def kill_once(run, until):
    """Go on with the run in a process of its own, wait until something holds, and kill -9."""
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


def resume_here(run):
    """What the command prints that goes on with the run in this process."""
    result = CliRunner().invoke(main, command(run)[3:], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_after_ctrl_c_and_kill_9_the_resumed_run_ends_with_the_same_weights_bit_for_bit(
    trained, interrupted, tmp_path, monkeypatch
):
    _, finished = trained
    run = Run(tmp_path / "killed")
    shutil.copytree(interrupted[0].path, run.path)
    kill_once(run, lambda: len(read_metrics(run.metrics)) == 3)  # between a log and its checkpoint
    assert not run.summary.exists()
    monkeypatch.setattr(
        "rotkeras.training.devices.keep_freed_memory", lambda: None
    )  # it would hold for all tests that follow
    assert "resuming after epoch" in resume_here(run)
    for name in ("model.keras", "encoder.keras", "encoder-last.keras"):
        ours, theirs = (
            keras.models.load_model(each.path / name).get_weights() for each in (run, finished)
        )
        assert all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True)), name
    ignored = {
        "views_per_second",
        "input_wait",
        "compile_seconds",
        "probe/seconds",
        "attention/seconds",
        "quality/seconds",
    }
    ours, theirs = (
        [{k: v for k, v in row.items() if k not in ignored} for row in read_metrics(r.metrics)]
        for r in (run, finished)
    )
    assert ours == theirs
    assert not list(run.path.rglob(".part-*"))
    assert "has ended after 4 epochs; there is nothing to resume" in resume_here(run)
