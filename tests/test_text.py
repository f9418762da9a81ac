import os
import shutil
import subprocess
from pathlib import Path

import pytest

from rotkeras.text import command_line, points

NAMES = [
    "plain",
    "My #1",
    "100% mine",
    "it's",
    'a "quote"',
    "$HOME",
    "`x`",
    "a\\b",
    "[x]*?",
    "!x",
    "~",
    "Фото 📷 日本",
    " blanks ",
    "",
    "line\nbreak",
    "tab\t'\\\x7f",
    os.fsdecode(b"\xfc'bad\xffa"),
]


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_a_shell_reads_a_printed_command_back_to_the_same_words():
    command = command_line("printf", "%s\\0", *NAMES)
    assert "\n" not in command
    read = subprocess.run(["bash", "-c", os.fsencode(command)], capture_output=True, check=True)
    assert read.stdout.split(b"\0")[:-1] == [os.fsencode(name) for name in NAMES]


def test_a_path_is_not_taken_for_an_option():
    assert command_line("rotkeras", "--set", "-x", Path("-x"), Path("- x")) == (
        "rotkeras --set -x ./-x './- x'"
    )
    assert command_line("ls", Path("runs/-x")) == "ls runs/-x"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ((0.24, -0.06, 1.0), "+0.2 (-0.1 … +1.0)"),
        ((-0.04, -0.0, 0.0), "+0.0 (+0.0 … +0.0)"),
        ((-12.3, -20.0, -3.0), "-12.3 (-20.0 … -3.0)"),
    ],
)
def test_differences_have_an_interval_and_no_negative_zero(values, words):
    assert points(*values) == words
