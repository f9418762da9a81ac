"""Losses may be what a program imports first."""

import subprocess
import sys


def test_losses_are_imported_before_keras_is():
    code = "from rotkeras.pretext.losses import nt_xent; print(nt_xent.__name__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "nt_xent", done.stderr[-500:]
