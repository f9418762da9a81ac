"""Commands end within five seconds of a signal, at any moment, and leave no unfinished file."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

LIMIT = 8.0
"""Seconds: the promise is five, and test machines are shared."""


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """Three thousand image files, in folders."""
    folder = tmp_path_factory.mktemp("many")
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(folder / "0.png")
    for number in range(1, 3000):
        place = folder / f"{number % 30}"
        place.mkdir(exist_ok=True)
        os.link(folder / "0.png", place / f"{number}.png")
    return folder


def signalled(arguments, number, seconds, folder, **environment):
    """(exit code, seconds until the end, standard error) of a command that gets a signal."""
    with subprocess.Popen(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        time.sleep(seconds)
        if process.poll() is not None:
            pytest.fail(f"the command had ended before the signal: {process.stderr.read()}")
        started = time.monotonic()
        process.send_signal(number)
        said = process.communicate(timeout=60)[1]
        return process.returncode, time.monotonic() - started, said


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["int", "term"]
)
@pytest.mark.parametrize("seconds", [0.8, 2.0])
def test_a_command_over_thousands_of_files_ends_soon(
    number, code, seconds, photographs, exported, tmp_path
):
    command = ["-m", "rotkeras", "orient", str(exported / "orient.tflite"), str(photographs)]
    command += ["--fix", "upright", "--copy-all", "--csv", "table.csv"]
    ended, took, said = signalled(command, number, seconds, tmp_path)
    assert ended == code, said
    assert took < LIMIT
    assert "Interrupted" in said
    assert "Traceback" not in said
    assert not [path for path in tmp_path.rglob("*") if path.name.startswith(".part-")]
    assert not (tmp_path / "table.csv").exists()


STUCK = """
import ctypes
from pathlib import Path
import click
from rotkeras.cli import main
from rotkeras.files import write_whole

@click.command()
def stuck():
    def write(working):
        working.write_text("half")
        lock = ctypes.create_string_buffer(64)  # a mutex; taken twice, it never comes back
        ctypes.CDLL(None).pthread_mutex_lock(lock)
        ctypes.CDLL(None).pthread_mutex_lock(lock)
    write_whole(Path("whole.txt"), write)

main.get_command = lambda context, name: stuck
main.resolve_command = lambda context, arguments: ("stuck", stuck, [])
main(["stuck"])
"""


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["int", "term"]
)
def test_a_command_that_is_stuck_in_a_library_is_ended_and_its_file_removed(number, code, tmp_path):
    """A deadlock in C never gives control back to Python, where handlers run."""
    ended, took, said = signalled(["-c", STUCK], number, 1.5, tmp_path)
    assert ended == code, said
    assert took < LIMIT
    assert "Interrupted" in said
    assert not list(tmp_path.iterdir())
