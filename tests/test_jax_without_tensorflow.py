"""JAX on the newest Python, where TensorFlow is not installed: what machines with GPUs have.

`.ci/run` makes such an environment; elsewhere these tests are skipped.
"""

import importlib.util
import json
import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("tensorflow") is not None, reason="TensorFlow is installed here"
)

QUICK = [
    *("--set", "train.epochs=2", "--set", "data.train_images=512"),
    *("--set", "probe.every_epochs=0", "--set", "attention=null", "--set", "report=null"),
    *("--set", "export=null", "--set", "backbone.blocks=3"),
]


def rotkeras(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "rotkeras", *arguments],
        env={**os.environ, "KERAS_BACKEND": "jax"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_a_recipe_trains_in_both_precisions(precision, tmp_path):
    run = tmp_path / precision
    done = rotkeras(
        "train",
        "quickstart",
        "--run-dir",
        str(run),
        "--set",
        f"train.precision={precision}",
        *QUICK,
    )
    assert done.returncode == 0, done.stderr
    summary = json.loads((run / "summary.json").read_text())
    assert summary["backend"] == "jax"
    assert summary["metrics"]["val_accuracy"] > 0.4  # chance is 0.25
    assert summary["metrics"]["val_loss"] < 1.4  # chance is ln 4 = 1.386
