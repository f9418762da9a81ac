import os
import subprocess
import sys

import pytest

from rotkeras.device.notes import without_notes

SCRIPT = """
import os, sys
from rotkeras.device import Encoder
from rotkeras.device.notes import without_notes
if sys.argv[2] == "without":
    with without_notes():
        Encoder(sys.argv[1])
else:
    Encoder(sys.argv[1])
os.write(2, b"still heard\\n")
"""


@pytest.mark.parametrize("how", ["with", "without"])
def test_the_runtimes_note_is_kept_from_stderr_and_nothing_else(exported, how):
    file = str(exported / "encoder-float32.tflite")
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, file, how], capture_output=True, text=True, check=True
    )
    assert ("XNNPACK" in done.stderr) == (how == "with")
    assert done.stderr.endswith("still heard\n")


def test_stderr_comes_back_after_an_error(capfd):
    with pytest.raises(RuntimeError), without_notes():
        os.write(2, b"hidden")
        raise RuntimeError
    os.write(2, b"seen")
    assert capfd.readouterr().err == "seen"
