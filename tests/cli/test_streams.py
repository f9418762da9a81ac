"""Output to terminals and pipes that are not UTF-8."""

import contextlib
import io
import os
import subprocess
import sys

import pytest

from rotkeras.cli import COMMANDS, main, streams


class Pipe(io.TextIOWrapper):
    def __init__(self, encoding):
        super().__init__(io.BytesIO(), encoding=encoding)
        self.given = encoding

    def text(self):
        self.flush()
        return self.buffer.getvalue().decode(self.given)


@contextlib.contextmanager
def pipes(encoding):
    """Standard output and standard error of an encoding; pytest sets its own before each test."""
    out, error = Pipe(encoding), Pipe(encoding)
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(error):
        yield out, error


ENCODINGS = pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])


@ENCODINGS
@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_every_help_is_printed(command, encoding):
    with pipes(encoding) as (out, _), pytest.raises(SystemExit) as ended:
        main([*command.split(), "--help"])
    assert ended.value.code == 0
    assert "Usage:" in out.text()


@ENCODINGS
def test_an_error_with_a_name_is_printed(encoding, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pipes(encoding) as (_, error), pytest.raises(SystemExit) as ended:
        main(["train", "quickstart", "--set", "data.folder=фото"])
    assert ended.value.code == 2
    assert "\\u0444\\u043e\\u0442\\u043e" in error.text()


@pytest.mark.parametrize(
    ("text", "ascii"),
    [
        ("reading …", "reading ..."),
        ("16×16, ±3.3, 90°", "16x16, +/-3.3, 90 degrees"),
        ("1 − 2 – 3 → “4”", '1 - 2 - 3 -> "4"'),
        ("日本", "\\u65e5\\u672c"),
        ("\udcfc", "\\udcfc"),
    ],
)
def test_signs_become_ascii_and_letters_their_code(text, ascii):
    with pipes("ascii") as (out, _):
        streams.prepare()
        print(text)
    assert out.text() == f"{ascii}\n"


def test_a_command_runs_to_its_end_without_utf_8(tmp_path):
    (tmp_path / "photos").mkdir()
    environment = {**os.environ, "LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = subprocess.run(
        [sys.executable, "-m", "rotkeras", "orient", "nothing.tflite", "photos"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 2
    assert b"Error:" in done.stderr
    assert b"Traceback" not in done.stderr
