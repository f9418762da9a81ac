"""rotkeras-device in an environment of its own."""

import subprocess
import sys
from pathlib import Path

import pytest

import rotkeras

FOLDER = Path(rotkeras.__file__).parent / "device"
USE = """
import sys
import numpy as np
from PIL import Image
import rotkeras
from rotkeras.device import Encoder, Learner, Orienter
folder = sys.argv[1]
images = np.random.default_rng(0).integers(0, 256, (4, 16, 16, 3), np.uint8)
Image.fromarray(images[0]).save("image.png")
learner = Learner(folder + "/learner.tflite")
learner.learn(images, ["a", "b", "c", "d"])
assert learner.classify("image.png").names.tolist() == ["a"]
Orienter(folder + "/orient.tflite")
try:
    rotkeras.data
except ImportError as error:
    print(error)
print(rotkeras.__version__, rotkeras.__file__)
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """A fresh environment with rotkeras-device alone."""
    if not (FOLDER / "pyproject.toml").exists():
        pytest.skip(
            "rotkeras is installed without its sources: rotkeras/device/pyproject.toml is not there"
        )
    folder = tmp_path_factory.mktemp("device") / "environment"
    # The tests' own pip installs into it: the new environment then needs none, which saves seconds.
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    python = folder / "bin" / "python"
    before = sorted(path for path in FOLDER.parent.rglob("*") if "__pycache__" not in path.parts)
    install = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        str(python),
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-compile",
    ]
    try:
        done = subprocess.run(
            [*install, "--retries", "0", "--timeout", "10", str(FOLDER)],
            capture_output=True,
            text=True,
            timeout=180,
        )
    except subprocess.TimeoutExpired:
        pytest.skip("the package index did not answer within three minutes")
    if done.returncode and (
        "Could not find a version" in done.stderr or "connection" in done.stderr.lower()
    ):
        pytest.skip(f"the package index cannot be reached: {done.stderr.strip().splitlines()[-1]}")
    assert not done.returncode, done.stderr
    assert (
        sorted(path for path in FOLDER.parent.rglob("*") if "__pycache__" not in path.parts)
        == before
    )  # no litter
    return python


def test_it_learns_without_tensorflow(environment, exported, tmp_path):
    done = subprocess.run(
        [environment, "-c", USE, str(exported)], capture_output=True, text=True, cwd=tmp_path
    )
    assert not done.returncode, done.stderr
    missing, installed = done.stdout.splitlines()
    assert (
        missing
        == "rotkeras.data is not part of rotkeras-device, which only runs exported files: pip"
        " install rotkeras."
    )
    version, place = installed.split(" ", 1)
    assert version == rotkeras.__version__
    assert place.startswith(str(environment.parent.parent))


def test_only_what_it_needs_is_installed(environment):
    packages = next((environment.parent.parent / "lib").glob("python*/site-packages"))
    names = {path.name.split("-")[0].lower() for path in packages.glob("*.dist-info")}
    assert {"rotkeras_device", "numpy", "pillow", "ai_edge_litert"} <= names
    assert not names & {
        "tensorflow",
        "keras",
        "click",
        "rich",
        "scikit_learn",
        "pydantic",
        "pyyaml",
        "matplotlib",
        "rotkeras",
    }


def test_the_wheel_has_the_sources_of_the_room_and_nothing_else(environment):
    packages = next((environment.parent.parent / "lib").glob("python*/site-packages"))
    shipped = {
        str(path.relative_to(packages / "rotkeras"))
        for path in (packages / "rotkeras").rglob("*")
        if path.is_file()
    }
    room = {f"device/{path.name}" for path in FOLDER.glob("*.py")}
    assert shipped == room | {
        "__init__.py",
        "errors.py",
        "files.py",
        "images/__init__.py",
        "images/formats.py",
        "images/pixels.py",
        "images/resize.py",
        "images/size.py",
        "py.typed",
        "device/LICENSE",
    }
    for name in room:
        assert (packages / "rotkeras" / name).read_bytes() == (FOLDER.parent / name).read_bytes()
