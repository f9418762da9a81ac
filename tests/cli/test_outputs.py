"""Places that cannot be written, and disks that become full."""

import errno
import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from rotkeras.cli import main
from rotkeras.errors import UserError
from rotkeras.files import beside, check_writable, is_full, write_whole

LONG = "n" * 300


def call(*arguments):
    return CliRunner().invoke(main, [str(each) for each in arguments])


def places(tmp_path):
    (tmp_path / "file").write_text("older content")
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere" / "else")
    return [
        Path("/proc/x"),
        Path("/sys/x"),
        tmp_path / "file" / "below",
        tmp_path / LONG,
        tmp_path / "new" / LONG / "deeper",
        tmp_path / "gone" / "below",
        tmp_path / ("a" * 4000) / "x",
    ]


def test_places_that_cannot_be_created_are_refused_and_nothing_is_left(tmp_path):
    for place in places(tmp_path):
        for folder in (True, False):
            with pytest.raises(UserError, match=r"^-o '.*' cannot be written: .*\. Give another"):
                check_writable(place, "-o", folder=folder)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["file", "gone"]


def test_places_that_can_be_created_are_taken_and_not_made(tmp_path):
    assert check_writable(tmp_path / "a" / "b" / "c", "-o", folder=True) == tmp_path / "a/b/c"
    assert check_writable(tmp_path / ("m" * 240), "-o")
    assert not list(tmp_path.iterdir())
    with pytest.raises(UserError, match="it is a folder, not a file"):
        check_writable(tmp_path, "-o")


def test_a_name_as_long_as_the_system_takes_is_written_whole(tmp_path):
    path = tmp_path / ("n" * 251 + ".txt")
    assert beside(path).suffix == ".txt"
    write_whole(path, lambda working: working.write_text("x"))
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("number", [0, 2, 4])
def test_every_command_refuses_such_a_place_before_it_works(number, tmp_path, exported):
    place = places(tmp_path)[number]
    run, photos = exported.parent, tmp_path / "photos"
    photos.mkdir()
    Image.new("RGB", (16, 16)).save(photos / "a.png")
    file = str(place)
    commands = [
        ["train", "quickstart", "--run-dir", file],
        ["export", run, "-o", file],
        ["embed", exported / "encoder-float32.tflite", photos, "-o", f"{file}.npz"],
        ["embed", exported / "encoder-float32.tflite", photos, "-o", f"{file}.csv"],
        ["neighbours", exported / "encoder-float32.tflite", photos, photos, "-o", f"{file}.png"],
        ["attend", run, photos, "-o", file],
        ["audit", photos, "-o", f"{file}.html"],
        ["audit", photos, "--json", f"{file}.json", "-o", tmp_path / "fine.html"],
        ["orient", exported / "orient.tflite", photos, "--fix", file],
        ["orient", exported / "orient.tflite", photos, "--csv", f"{file}.csv"],
        ["report", run, "-o", f"{file}.html"],
        ["benchmark", "train", "quickstart", "-o", f"{file}.json"],
        ["reproduce", "table1", "--scale", "0.01", "--out", file],
    ]
    before = sorted(tmp_path.rglob("*"))
    for command in commands:
        result = call(*command)
        said = result.output.strip().splitlines()
        assert result.exit_code == 2, (command, result.output, result.exception)
        assert "cannot be written" in said[-1], command
    assert sorted(tmp_path.rglob("*")) == before
    assert (tmp_path / "file").read_text() == "older content"


@pytest.mark.parametrize(
    ("error", "full"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), True),
        (OSError(errno.EFBIG, "File too large"), True),
        (OSError("Can't write data (file write failed: errno = 28, error message = …)"), True),
        (RuntimeError("RESOURCE: x; No space left on device"), True),
        (OSError(errno.ENOENT, "No such file"), False),
        (ValueError("x"), False),
    ],
)
def test_a_full_disk_is_known_by_number_and_by_words(error, full):
    assert is_full(error) is full
    outer = ValueError("outer")
    outer.__cause__ = error
    assert is_full(outer) is full


def limited(*arguments, most, folder):
    """A command that cannot write a file of more than `most` bytes, as on a full disk."""

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))

    return subprocess.run(
        [sys.executable, "-m", "rotkeras", *map(str, arguments)],
        cwd=folder,
        preexec_fn=limit,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("ending", ["npz", "csv", "parquet"])
def test_a_disk_that_becomes_full_leaves_the_older_file(ending, tmp_path, exported):
    np.savez(tmp_path / "images.npz", images=np.zeros((4000, 16, 16, 3), np.uint8))
    older = tmp_path / f"features.{ending}"
    older.write_text("older content")
    done = limited(
        "embed",
        exported / "encoder-float32.tflite",
        tmp_path / "images.npz",
        "-o",
        older,
        "--overwrite",
        most=20_000,
        folder=tmp_path,
    )
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert older.read_text() == "older content"
    assert sorted(os.listdir(tmp_path)) == sorted([older.name, "images.npz"])


def test_a_training_that_meets_a_full_disk_says_so_and_keeps_no_half_file(tmp_path):
    settings = (
        "train.epochs=1",
        "data.train_images=64",
        "backbone.blocks=3",
        "attention=null",
        "export=null",
    )
    set_ = [word for each in settings for word in ("--set", each)]
    done = limited("train", "quickstart", "--run-dir", "run", *set_, most=50_000, folder=tmp_path)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert "The disk became full while 'run' was written. No epoch was finished" in done.stderr
    assert not list((tmp_path / "run").rglob(".part-*"))
