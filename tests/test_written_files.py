import os
import subprocess
import sys
from pathlib import Path

import pytest

from rotkeras import UserError, files
from rotkeras.files import one_writer, read_json_lines, write_json, write_text, write_whole


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "folder" / "a.txt"
    write_text(path, "old")

    def fail(working):
        working.write_text("half")
        raise OSError("full")

    with pytest.raises(OSError, match="full"):
        write_whole(path, fail)
    assert path.read_text() == "old"
    assert os.listdir(path.parent) == ["a.txt"]


def test_json_lines(tmp_path):
    write_json(tmp_path / "a.json", {"ü": 1})
    assert "ü" in (tmp_path / "a.json").read_text(encoding="utf-8")
    (tmp_path / "b.jsonl").write_text('{"a": 1}\n{"a": 2}\n')
    assert read_json_lines(tmp_path / "b.jsonl") == [{"a": 1}, {"a": 2}]


def test_one_writer_at_a_time_and_no_lock_left(tmp_path):
    path = tmp_path / "thing"
    with one_writer(path):
        with (
            pytest.raises(UserError, match="thing is being written by another process"),
            one_writer(path),
        ):
            pass
        assert (tmp_path / ".thing.lock").exists()
    assert not list(tmp_path.iterdir())
    with pytest.raises(ValueError, match="mine"), one_writer(path):
        raise ValueError("mine")
    with one_writer(path):  # an error lets it go too
        pass


def test_a_writer_that_was_killed_holds_nothing(tmp_path):
    code = (
        "import os; from pathlib import Path; from rotkeras.files import one_writer\nwith"
        f" one_writer(Path({str(tmp_path / 'x')!r})): os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 9
    with one_writer(tmp_path / "x"):
        pass
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("output", "inputs"),
    [
        ("a.npz", ["a.npz"]),
        ("./photos/../a.npz", ["a.npz"]),
        ("photos/1.png", ["photos"]),
        ("photos/deep/2.png", ["photos"]),
        ("photos", ["photos"]),
        ("photos", ["photos/1.png"]),
        ("link.npz", ["a.npz"]),
        ("run", ["a.npz"]),
    ],
)
def test_what_is_read_is_not_written_to(output, inputs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos" / "deep").mkdir(parents=True)
    (tmp_path / "run").mkdir()
    for name in ("a.npz", "photos/1.png", "photos/deep/2.png", "run/recipe.yaml"):
        (tmp_path / name).write_text("x")
    (tmp_path / "link.npz").symlink_to("a.npz")
    with pytest.raises(UserError, match=r"-o .* (would replace what is read|is a run folder)"):
        files.check_keeps(Path(output), "-o", *inputs, "cifar10")
    # A new file beside the images is none of them.
    files.check_keeps(Path("photos/new.npz"), "-o", "photos", "a.npz", "cifar10")
    files.check_keeps(Path("maps"), "-o", "photos/1.png", "photos")
