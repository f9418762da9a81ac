"""Several processes that train one network: equal to one, a loss is said, and a resumed training
ends as the unbroken one."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest
import yaml
from small_training import LEAN, QUICK_COMPILING

from rotkeras import UserError
from rotkeras.training import hosts
from rotkeras.training.callbacks.metrics_log import read_metrics

pytestmark = pytest.mark.long

CONTENT = {
    **LEAN,
    "data": {**LEAN["data"], "train_images": 160},
    "train": {"epochs": 4, "images_per_batch": 16, "learning_rate": 0.001},
    "probe": {"every_epochs": 0, "train_images": 100},
}


def free_port():
    with socket.socket() as there:
        there.bind(("127.0.0.1", 0))
        return there.getsockname()[1]


def start(folder, name, number, addresses, *arguments):
    """One process of a training, as a user would start it."""
    command = [
        sys.executable,
        "-m",
        "rotkeras",
        "train",
        str(folder / "recipe.yaml"),
        "--run-dir",
        str(folder / name),
        *arguments,
    ]
    if addresses:
        command += ["--hosts", addresses, "--host-id", str(number)]
    ours = ("KERAS_BACKEND", "TF_CPP_MIN_LOG_LEVEL")  # a user has neither
    environment = {key: value for key, value in os.environ.items() if key not in ours}
    cache = {
        "JAX_COMPILATION_CACHE_DIR": str(folder / "compiled"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }
    environment |= {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": QUICK_COMPILING, **cache} | (
        {} if addresses else {"KERAS_BACKEND": "jax"}
    )
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )


def train_in_two(folder, name, *arguments):
    addresses = f"127.0.0.1:{free_port()},127.0.0.1:{free_port()}"
    # Only the first process has the run folder: the others need none.
    pair = [
        start(folder, name if number == 0 else f"{name}-other", number, addresses, *arguments)
        for number in (0, 1)
    ]
    outputs = [process.communicate(timeout=300) for process in pair]
    for process, output in zip(pair, outputs, strict=True):
        assert process.returncode == 0, output
    return outputs


def trainer_of(watcher):
    """The process that trains: the child of the one that was started."""
    children = Path(f"/proc/{watcher.pid}/task/{watcher.pid}/children").read_text().split()
    return int(children[0])


def weights(path):
    return keras.models.load_model(path / "model.keras", compile=False).get_weights()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    pytest.importorskip("jax", reason="JAX is not installed: pip install 'rotkeras[jax]'")
    folder = tmp_path_factory.mktemp("hosts")
    (folder / "recipe.yaml").write_text(yaml.safe_dump(CONTENT))
    return folder


def test_a_lost_process_is_said_and_the_resumed_training_ends_as_one_process_that_was_never_stopped(
    folder,
):
    """Two processes, of which one is killed, and both again: the losses, metrics and weights of
    one, on the same global batches."""
    addresses = f"127.0.0.1:{free_port()},127.0.0.1:{free_port()}"
    # Only the first has the run folder: the others need none.
    first, second = (
        start(folder, ("two", "two-other")[number], number, addresses) for number in (0, 1)
    )
    state = folder / "two/checkpoints/state.json"
    deadline = time.monotonic() + 200
    while not state.exists() and time.monotonic() < deadline and first.poll() is None:
        time.sleep(0.05)
    os.kill(trainer_of(second), signal.SIGKILL)
    killed = time.monotonic()
    output, said = first.communicate(timeout=120)
    assert time.monotonic() - killed < 60
    assert first.returncode == 1, (output, said)
    assert "Process 0 of 2 stopped, because another process of this training was lost" in said
    assert "--resume" in said
    assert "Traceback" not in said
    _, said = second.communicate(timeout=60)
    assert second.returncode == 1
    assert "Process 1 of 2 was ended by signal 9 (9 when memory runs out)" in said
    epoch = json.loads(state.read_text())["epoch"]
    assert 1 <= epoch < 4

    outputs = train_in_two(folder, "two", "--resume")
    assert f"resuming after epoch {epoch}" in outputs[0][0]
    for output, said in outputs:  # libraries write below Python
        assert "Gloo" not in output
        assert "cuda" not in said.lower()
    assert "probe accuracy after epoch 4" in outputs[0][0]
    assert outputs[1][0].splitlines()[-1] == "trained; the run folder is that of process 0"
    assert not (folder / "two-other").exists()
    assert json.loads((folder / "two/summary.json").read_text())["processes"] == 2

    process = start(folder, "one", 0, None)
    output = process.communicate(timeout=300)
    assert process.returncode == 0, output
    rows, alone = (read_metrics(folder / name / "metrics.jsonl") for name in ("two", "one"))
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4]
    assert "compile_seconds" in alone[0]
    for ours, theirs in zip(rows, alone, strict=True):
        assert ours.keys() - {"compile_seconds"} == theirs.keys() - {
            "compile_seconds"
        }  # probes too; each process compiles once
        # What is rounded in another order grows from step to step: at first all digits but the last
        # agree.
        first_epoch = ours["epoch"] == 1
        for key in ("loss", "val_loss"):
            assert ours[key] == pytest.approx(theirs[key], rel=1e-4 if first_epoch else 5e-3), key
        for key in ("accuracy", "val_accuracy"):
            assert ours[key] == pytest.approx(theirs[key], abs=0.003 if first_epoch else 0.02), key
    for ours, theirs in zip(weights(folder / "two"), weights(folder / "one"), strict=True):
        if theirs.ndim > 1:
            assert np.linalg.norm(ours - theirs) < 0.05 * np.linalg.norm(theirs)


def test_processes_that_read_different_images_stop_all_of_them_with_the_reason(folder):
    pixels = np.random.default_rng(0).integers(0, 256, (60, 16, 16, 3), np.uint8)
    np.savez(folder / "first.npz", images=pixels)
    np.savez(folder / "second.npz", images=pixels[:50])
    addresses = f"127.0.0.1:{free_port()},127.0.0.1:{free_port()}"
    draw = ("--set", "data.train_images=null")
    pair = [
        start(
            folder, "differ", number, addresses, "--set", f"data.arrays={folder}/{name}.npz", *draw
        )
        for number, name in enumerate(("first", "second"))
    ]
    for process in pair:
        _, said = process.communicate(timeout=120)
        assert process.returncode == 2, said
        assert said == (
            "Error: The processes read different images: 54 training images in process 0, 45 in"
            " process 1. Give all of them the same images.\n"
        )
    assert not (folder / "differ/model.keras").exists()


def test_a_batch_that_does_not_split_is_refused_before_anyone_is_waited_for(folder, tmp_path):
    process = start(folder, "odd", 0, "a:1,b:2", "--set", "train.images_per_batch=15")
    _, said = process.communicate(timeout=60)
    assert process.returncode == 2
    assert (
        "train.images_per_batch must be a multiple of 2, the number of processes, got 15." in said
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("a:1,b:2", None),
            "--host-id must be the number of this process, 0 to 1, got none;",
        ),
        (
            ("a:1,b:2", 2),
            "--host-id must be the number of this process, 0 to 1, got 2;",
        ),
        (
            ("a,b:2", 0),
            r"--hosts must be host:port pairs, such as a:1234,b:1234, got 'a,b:2'\.",
        ),
        (
            (None, 0),
            r"--host-id 0 needs --hosts with the addresses of all, such as --hosts a:1234,b:1234\.",
        ),
    ],
)
def test_addresses_that_do_not_fit_are_refused(arguments, message):
    with pytest.raises(UserError, match=message):
        hosts.find(*arguments)


def test_the_usual_variables_are_read(monkeypatch):
    for name in ("KERAS_DISTRIBUTION_JOB_ADDRESSES", "KERAS_DISTRIBUTION_PROCESS_ID", "TF_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    assert hosts.find() is None
    assert hosts.find("a:1", 0) is None  # one is no cluster
    monkeypatch.setenv(
        "TF_CONFIG",
        json.dumps({"cluster": {"worker": ["x:1", "y:2"]}, "task": {"type": "worker", "index": 1}}),
    )
    assert hosts.find() == hosts.Hosts(("x:1", "y:2"), 1)
    monkeypatch.setenv("KERAS_DISTRIBUTION_JOB_ADDRESSES", "a:1,b:2,c:3")
    monkeypatch.setenv("KERAS_DISTRIBUTION_PROCESS_ID", "2")
    assert hosts.find() == hosts.Hosts(("a:1", "b:2", "c:3"), 2)
    assert hosts.find("d:4,e:5", 0) == hosts.Hosts(("d:4", "e:5"), 0)
    monkeypatch.setenv(
        "KERAS_DISTRIBUTION_JOB_ADDRESSES", "a:1"
    )  # Keras needs no more than where all meet
    monkeypatch.setenv("KERAS_DISTRIBUTION_NUM_PROCESSES", "3")
    assert len(hosts.find().addresses) == 3
    monkeypatch.delenv("KERAS_DISTRIBUTION_JOB_ADDRESSES")
    chief = {
        "cluster": {"chief": ["x:1"], "worker": ["y:2"]},
        "task": {"type": "worker", "index": "0"},
    }
    monkeypatch.setenv("TF_CONFIG", json.dumps(chief))
    assert hosts.find() == hosts.Hosts(("x:1", "y:2"), 1)
    monkeypatch.setenv("TF_CONFIG", "{")
    with pytest.raises(
        UserError,
        match=r"""TF_CONFIG must be JSON such as \{"cluster": \{"worker": \["a:1234", "b:1234"\]\}, "task": \{"type": "worker", "index": 0\}\}, got '\{';""",
    ):
        hosts.find()


def test_tensorflow_on_several_hosts_is_refused_with_the_reason(tmp_path):
    command = [
        sys.executable,
        "-m",
        "rotkeras",
        "train",
        "quickstart",
        "--hosts",
        "a:1,b:2",
        "--host-id",
        "0",
    ]
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow"}
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=environment, cwd=tmp_path
    )
    assert done.returncode == 2
    assert "MultiWorkerMirroredStrategy fails inside Keras 3's fit" in done.stderr
    assert "jax" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_who_waits_in_vain_says_so(folder, tmp_path):
    environment = {key: value for key, value in os.environ.items() if key != "KERAS_BACKEND"} | {
        "JAX_PLATFORMS": "cpu"
    }
    command = [
        sys.executable,
        "-m",
        "rotkeras",
        "train",
        "quickstart",
        "--run-dir",
        str(tmp_path / "run"),
    ]
    command += ["--hosts", f"127.0.0.1:{free_port()},127.0.0.1:{free_port()}", "--host-id", "1"]
    environment["ROTKERAS_MEETING_SECONDS"] = "3"
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=environment, timeout=100
    )
    assert done.returncode in (1, 2)
    assert "did not meet" in done.stderr
    assert "start all together" in done.stderr
    assert "another process of this training was lost" not in done.stderr
