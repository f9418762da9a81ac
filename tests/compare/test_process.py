"""Runs in processes of their own."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from comparisons import SMALL, command, results

import rotkeras
from rotkeras import UserError, recipe
from rotkeras.compare import process


@pytest.mark.long
def test_a_run_has_a_process_and_a_peak_memory_of_its_own(tmp_path):
    folder = tmp_path / "page.compare"
    said = command(folder, "--no-pictures", tasks="rotation", seeds=1, small=SMALL[:-1])
    assert said.exit_code == 0, said.output
    run = results(folder)["entries"]["rotation"]["runs"]["0"]
    assert run["status"] == "finished"
    assert 100 < run["memory"]["process_mib"] < 8000
    assert "oneDNN" not in said.output


def test_the_error_of_a_process_is_its_sentence(tmp_path):
    made = recipe.validate({"data": {"folder": str(tmp_path / "nowhere")}}, "test")
    with pytest.raises(UserError, match="nowhere"):
        process.measure(made, 0.0, "rotation")


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.long
def test_an_interrupt_ends_the_process_and_says_how_to_resume(tmp_path):
    """The command is interrupted while its run starts; no process of it is left."""
    folder = tmp_path / "page.compare"
    arguments = ["compare", "rotation", "--data", "digits", "--budget", "1e6views", "--seeds", "1"]
    arguments += ["--folder", str(folder), "-o", str(tmp_path / "page.html")]
    arguments += [part for each in SMALL[:-1] for part in ("--set", each)]
    paths = str(Path(rotkeras.__file__).parents[1])
    command = subprocess.Popen(
        [sys.executable, "-m", "rotkeras", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": paths},
    )
    for _ in range(600):
        if (folder / "plan.json").exists():
            break
        time.sleep(0.1)
    time.sleep(1.5)
    command.send_signal(signal.SIGINT)
    _, said = command.communicate(timeout=60)
    assert command.returncode == 130
    assert "finished rounds and runs are kept. Repeat the command" in said
    mine = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True).stdout
    assert not [line for line in mine.splitlines() if str(tmp_path) in line]
