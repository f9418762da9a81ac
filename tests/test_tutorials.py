"""The tutorials, run from their text: every `bash` and `python` block in its order, as written.

A `text` block is what the reader sees: its lines are found in the output, in their order, whatever
the numbers in them; a line of "…" leaves some out, and so does "…" at the end of a line. `sh`
blocks are commands at full size. They are not run.

They take two minutes, so `.ci/run` asks for them: ROTKERAS_TUTORIALS=1 pytest tests/test_tutorials.py
"""

import json
import os
import re
import subprocess
import sys
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest

if not os.environ.get("ROTKERAS_TUTORIALS"):
    pytest.skip("ROTKERAS_TUTORIALS=1 runs the tutorials", allow_module_level=True)

TUTORIALS = Path(__file__).parents[1] / "docs" / "tutorials"

# Runs the Python blocks of a page in one process, and marks where the output of each ends.
IN_ONE_PROCESS = """
import json, sys
names = {"__name__": "__main__"}
for block in json.loads(sys.argv[1]):
    exec(compile(block, "<tutorial>", "exec"), names)
    print("\\n\\0")
"""


def steps(page):
    """The executed blocks of a page in their order: (language, code, lines to be seen)."""
    text = (TUTORIALS / f"{page}.md").read_text(encoding="utf-8")
    found = []
    for language, code in re.findall(r"^```(\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        if language in ("bash", "python"):
            found.append((language, code, []))
        elif language == "text":
            found[-1][2].extend(code.splitlines())
    return found


def without_numbers(line):
    """A line that two runs have in common: no figures, no columns, one form of white space."""
    return re.sub(r"\s+", " ", re.sub(r"[-+−±]?\d[\d,.:]*", "0", line)).strip()


def check_seen(expected, output):
    lines = iter([without_numbers(line) for line in output.splitlines()])
    for line in map(without_numbers, expected):
        if line.endswith("…"):
            found = line == "…" or any(seen.startswith(line[:-1].strip()) for seen in lines)
        else:
            found = not line or line in lines  # takes lines until there is one that is equal
        assert found, (line, output)


def follow(page, folder, **environment):
    """Do what a page says in a folder."""
    here = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{here}{os.pathsep}{os.environ['PATH']}", **environment}

    def run(*command):
        result = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        assert result.returncode == 0, (command[-1], result.stdout, result.stderr[-3000:])
        return result.stdout, result.stderr

    for language, group in groupby(steps(page), lambda step: step[0]):
        blocks = list(group)
        if language == "bash":
            for _, code, expected in blocks:
                output, errors = run("bash", "-euo", "pipefail", "-c", code)
                check_seen(expected, errors + output)
        else:
            output, _ = run(
                sys.executable, "-c", IN_ONE_PROCESS, json.dumps([code for _, code, _ in blocks])
            )
            for (_, _, expected), part in zip(blocks, output.split("\0"), strict=False):
                check_seen(expected, part)


def write_photographs(folder, count):
    """Stand-ins for a reader's own photographs: parts of the two that scikit-learn has."""
    from PIL import Image
    from sklearn.datasets import load_sample_images

    pictures = [Image.fromarray(pixels) for pixels in load_sample_images().images]
    random = np.random.default_rng(0)
    folder.mkdir()
    for number in range(count):
        picture, side = pictures[number % 2], int(random.integers(48, 160))
        left = int(random.integers(picture.width - side))
        top = int(random.integers(picture.height - side))
        part = picture.crop((left, top, left + side, top + side)).resize((96, 96))
        part.save(folder / f"IMG_{number:04}.jpg", quality=92)


def test_own_photographs_to_a_file_for_a_phone(tmp_path):
    write_photographs(tmp_path / "photos", 240)
    follow("own_photographs", tmp_path)


def test_own_script(tmp_path):
    follow("own_script", tmp_path)


def test_own_task(tmp_path):
    follow("own_task", tmp_path)


def test_cifar10_and_the_tables_of_the_paper(tmp_path):
    data = Path(os.environ.get("ROTKERAS_DATA_DIR", "~/tensorflow_datasets")).expanduser()
    if not (data / "cifar10").is_dir():
        pytest.skip("CIFAR-10 is not prepared: ROTKERAS_DATA_DIR names the folder that has it")
    follow("cifar10", tmp_path, TFDS_DATA_DIR=str(data))


def test_what_a_page_does_not_say_is_noticed():
    check_seen(["loss 1.2", "…", "saved  to runs/x"], "loss 0.7\nother\nsaved to runs/x\n")
    with pytest.raises(AssertionError):
        check_seen(["saved to runs/x", "loss 1.2"], "loss 0.7\nsaved to runs/x\n")
    check_seen(["loss 1.2 …", "…"], "loss 0.7  accuracy 30 %\n")
    with pytest.raises(AssertionError):
        check_seen(["lost 1.2 …"], "loss 0.7  accuracy 30 %\n")
    with pytest.raises(AssertionError):
        check_seen(["saved in runs/x"], "saved to runs/x\n")
