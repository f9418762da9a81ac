import os
import sys
import time

import pytest

from rotkeras import new_process
from rotkeras.benchmark import part_process
from rotkeras.errors import UserError


def python(code):
    return new_process.lines([sys.executable, "-c", code], {"WORD": "heard"}, "the program")


def test_a_part_is_measured_in_another_process():
    told = []
    result = part_process.measure("machine", {"seconds": 0.01}, told.append)
    assert set(result) == {"matrix_product", "memory_copy"}
    assert min(result.values()) > 1e6
    assert len(told) == 1


def test_a_mistake_comes_back_in_its_own_words():
    wanted = {"recipe": {"train": {"epoch": 3}}, "steps": 1, "repeats": 1}
    with pytest.raises(
        UserError,
        match=r"^recipe: train.epoch is not a known key; did you mean 'epochs'\? \(1 more mistake\)\.$",
    ):
        part_process.measure("input", wanted, lambda _: None)


def test_objects_are_read_and_other_lines_left_out():
    code = (
        "import os; print('chatter'); print('[1]'); print('{\"a\": 1}'); print('{\"a\": \"%s\"}' %"
        " os.environ['WORD'])"
    )
    assert list(python(code)) == [{"a": 1}, {"a": "heard"}]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (
            "raise SystemExit('too hot')",
            r"The program failed \(too hot\)\. Use a smaller train\.images_per_batch, or train the recipe to see the error\.",
        ),
        ("import os; os.kill(os.getpid(), 9)", r"\(it was ended by signal 9\)"),
        ("import sys; print('x\\nA sentence.', file=sys.stderr); sys.exit(2)", r"^A sentence\.$"),
    ],
)
def test_how_it_ended_is_told(code, said):
    with pytest.raises(UserError, match=said):
        list(python(code))


def test_it_ends_with_us_and_so_does_what_it_started():
    code = """
import json, os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print(json.dumps({"processes": [os.getpid(), child.pid]}), flush=True)
time.sleep(60)"""
    program = python(code)
    processes = next(program)["processes"]
    program.close()  # as an exception in the loop that reads it does
    deadline = time.monotonic() + 5
    while any(alive(process) for process in processes) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert [alive(process) for process in processes] == [False, False]


def alive(process):
    try:
        os.kill(process, 0)
        with open(f"/proc/{process}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False
