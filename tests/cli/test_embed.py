"""`rotkeras embed` and `rotkeras neighbours`."""

import csv
import io
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from rich.console import Console

from rotkeras.cli import skipped
from rotkeras.cli.embed import embed, showing, tell_skipped
from rotkeras.cli.neighbours import neighbour_table, neighbours
from rotkeras.data.source import BadImage
from rotkeras.embedding import Encoder, nearest, open_images
from rotkeras.errors import UserError

SIZE = 12


def call(command, *arguments):
    result = CliRunner().invoke(command, [str(each) for each in arguments])
    if isinstance(result.exception, UserError):  # the group makes exit code 2 of it
        raise result.exception
    return result


@pytest.fixture(scope="module")
def encoder_file(tmp_path_factory):
    import keras

    keras.utils.set_random_seed(0)
    images = keras.Input((SIZE, SIZE, 3), dtype="uint8")
    x = keras.layers.AveragePooling2D(4)(keras.layers.Rescaling(1 / 255)(images))
    path = tmp_path_factory.mktemp("run") / "encoder.keras"
    keras.Model(images, keras.layers.Flatten()(x)).save(path)
    return path


@pytest.fixture
def photographs(tmp_path):
    folder = tmp_path / "photographs"
    random = np.random.default_rng(0)
    for name in ("cat/a.png", "cat/b.png", "dog/c [bold]x.png", "dog/d.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (16, 20, 3), dtype=np.uint8)).save(folder / name)
    return folder


def test_embed_writes_the_file_and_ends_with_one_line(encoder_file, photographs, tmp_path):
    for number in range(7):
        (photographs / "dog" / f"bad[b]{number}.jpg").write_text("no image")
    output = call(embed, encoder_file, photographs, "-o", tmp_path / "a.npz").output.splitlines()
    assert re.fullmatch(
        r"4 images, 27 dimensions, \d+\.\d s \([\d,]+ images/s\):"
        rf" {re.escape(str(tmp_path / 'a.npz'))}, [\d.]+ k?B",
        output[-1],
    )
    assert "7 files could not be read as images and are left out:" in output
    named = [line for line in output if line.startswith("  ") and "bad" in line]
    assert named == [
        f"  {photographs / 'dog' / f'bad[b]{number}.jpg'}: its content is not an image"
        for number in range(5)
    ]
    assert "  … and 2 more" in output
    assert len(np.load(tmp_path / "a.npz")["features"]) == 4


def test_embed_takes_a_run_folder_and_arrays(encoder_file, tmp_path):
    shutil.copy(encoder_file, tmp_path / "encoder.keras")
    np.savez(
        tmp_path / "x.npz",
        images=np.zeros((3, 8, 8, 3), np.uint8),
        test_images=np.zeros((1, SIZE, SIZE, 3), np.uint8),
    )
    with pytest.raises(UserError, match="are 8×8 and the encoder takes 12×12: add --resize"):
        call(embed, tmp_path, tmp_path / "x.npz", "-o", tmp_path / "a.csv")
    assert (
        "3 images,"
        in call(embed, tmp_path, tmp_path / "x.npz", "-o", tmp_path / "a.csv", "--resize").output
    )
    with pytest.raises(UserError, match="exists already"):
        call(embed, tmp_path, tmp_path / "x.npz", "-o", tmp_path / "a.csv", "--resize")
    output = call(
        embed,
        tmp_path,
        tmp_path / "x.npz",
        "-o",
        tmp_path / "a.csv",
        "--overwrite",
        "--split",
        "test",
    ).output
    assert "1 image, 27 dimensions" in output
    assert len((tmp_path / "a.csv").read_text().splitlines()) == 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("swallowed", [False, True])
def test_an_interrupt_leaves_nothing(
    encoder_file, photographs, tmp_path, monkeypatch, number, swallowed
):
    from rotkeras.embedding import Encoder

    whole = Encoder.embed

    def interrupted(self, images):
        try:
            os.kill(os.getpid(), number)
        except KeyboardInterrupt:
            if not swallowed:
                raise
        return whole(self, images)

    monkeypatch.setattr(Encoder, "embed", interrupted)
    monkeypatch.setattr("rotkeras.embedding.chunks._MOST_IMAGES", 1)
    before = signal.getsignal(number)
    result = call(
        embed, encoder_file, photographs, "-o", tmp_path / "a.csv", "--images-per-batch", "1"
    )
    assert result.exit_code == 128 + number
    assert "Interrupted; no unfinished file was left." in result.output
    assert [each.name for each in tmp_path.iterdir()] == ["photographs"]
    assert signal.getsignal(number) is before


def test_neighbours_shows_a_table_and_draws_a_sheet(encoder_file, photographs, tmp_path):
    result = call(
        neighbours,
        encoder_file,
        photographs / "cat/a.png",
        photographs,
        "-k",
        9,
        "-o",
        tmp_path / "s.png",
        "--csv",
        tmp_path / "n.csv",
    )
    output = result.output
    assert "cosine distance 1 − cos; 4 images searched" in output
    assert "1 left out, with exactly a query's pixels: the query itself, or a copy of it" in output
    assert "9 neighbours were requested, and there are only 3: all are shown" in output
    assert "of their query's class" not in output  # a single file has no class
    assert "c [bold]x.png" in output
    with Image.open(tmp_path / "s.png") as sheet:
        assert sheet.format == "PNG"
    with open(tmp_path / "n.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["name"] for row in rows} == {"cat/b.png", "dog/c [bold]x.png", "dog/d.png"}
    shown = [line.split()[-1] for line in output.splitlines() if re.search(r" \d\.\d{4}$", line)]
    assert shown == [f"{float(row['distance']):.4f}" for row in rows]


def test_neighbours_says_the_share_of_the_class(encoder_file, photographs):
    output = call(
        neighbours, encoder_file, photographs, photographs, "-k", 3, "--queries", 2
    ).output
    assert "33.3 % of the neighbours are of their query's class (drawn at random: 33.3 %)" in output
    assert "(cat)" in output


def test_neighbours_of_arrays_with_a_split_each(encoder_file, tmp_path):
    random = np.random.default_rng(0)
    parts = {
        key: random.integers(0, 256, (5, SIZE, SIZE, 3), dtype=np.uint8)
        for key in ("images", "test_images")
    }
    np.savez(tmp_path / "x.npz", **parts)
    arguments = (
        encoder_file,
        tmp_path / "x.npz",
        tmp_path / "x.npz",
        "-k",
        2,
        "--csv",
        tmp_path / "n.csv",
    )
    call(neighbours, *arguments, "--query-split", "test")
    flat = {
        key: value.reshape(5, 3, 4, 3, 4, 3).mean(axis=(2, 4)).reshape(5, -1)
        for key, value in parts.items()
    }
    flat = {
        key: value / np.linalg.norm(value, axis=1, keepdims=True) for key, value in flat.items()
    }
    expected = np.argsort(1 - flat["test_images"] @ flat["images"].T, axis=1)[:, :2]
    with open(tmp_path / "n.csv", newline="") as file:
        assert [int(row["name"]) for row in csv.DictReader(file)] == expected.ravel().tolist()


def test_a_sheet_that_would_be_too_long_is_refused_by_what_there_is(
    encoder_file, photographs, tmp_path
):
    many = ("--queries", 500, "-k", 500)  # more than a sheet holds, but there are four images
    assert (
        call(
            neighbours, encoder_file, photographs, photographs, *many, "-o", tmp_path / "s.png"
        ).exit_code
        == 0
    )
    np.savez(tmp_path / "x.npz", images=np.zeros((101, SIZE, SIZE, 3), np.uint8))
    with pytest.raises(UserError, match="101 queries with 4 neighbours each has 101 rows"):
        call(
            neighbours,
            encoder_file,
            tmp_path / "x.npz",
            photographs,
            *many,
            "-o",
            tmp_path / "t.png",
        )


@pytest.mark.parametrize("terminal", [True, False])
def test_the_table_fits_a_terminal(tmp_path, terminal):
    folder = tmp_path / "a class with quite a long name indeed"
    for name in ("日本" * 20, "x" * 90, "y" * 100):
        for home in (folder, tmp_path / "b"):
            home.mkdir(exist_ok=True)
            Image.new("RGB", (5, 5), (len(name), 0, len(str(home)))).save(home / f"{name}.png")
    encoder = Encoder(tmp_path, 5, 3, 4, lambda images: images[:, 0, 0].astype(np.float32))
    images = open_images(tmp_path)(5)
    console = Console(
        file=io.StringIO(),
        width=80,
        force_terminal=terminal,
        color_system=None,
        highlight=False,
        markup=False,
    )
    console.print(
        neighbour_table(nearest(encoder, images, images, k=5, most_queries=6), plain=not terminal)
    )
    lines = console.file.getvalue().splitlines()
    from rich.cells import cell_len

    assert max(map(cell_len, lines)) <= 80
    ranks = [line for line in lines if re.search(r" \d\.\d{4}$", line.rstrip())]
    assert len(ranks) == 30
    assert all(
        line.count(".png") >= 1 + (" 1 " in line) for line in ranks
    )  # of each name the end is shown
    header = next(line for line in lines if "rank" in line)
    assert header.split() == ["query", "rank", "name", "class", "distance"]


def test_progress_is_a_line_now_and_then_where_there_is_no_terminal(monkeypatch):
    moments = iter([0.0, 4.0, 11.0, 12.0, 30.0])
    monkeypatch.setattr("rotkeras.cli.embed.time.monotonic", lambda: next(moments))
    console = Console(file=io.StringIO(), width=80, soft_wrap=True)
    interrupted = []
    with showing(console, "embedding images", interrupted) as progress:
        for done in (100, 2000, 2500, 3000):
            progress(done, 4000)
        interrupted.append(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            progress(3500, 4000)
    assert console.file.getvalue().splitlines() == [
        "embedding images: 2,000 of 4,000, 0:11 left",
        "embedding images: 3,000 of 4,000, 0:10 left",
    ]


def test_progress_is_a_bar_on_a_terminal():
    console = Console(file=io.StringIO(), width=80, force_terminal=True, color_system=None)
    with showing(console, "embedding images", []) as progress:
        progress(2000, 4000)
    assert "embedding images" in console.file.getvalue()
    assert "2000/4000" in console.file.getvalue()


def test_nothing_is_said_of_files_when_all_were_read():
    console = Console(file=io.StringIO())
    tell_skipped(console, [])
    assert console.file.getvalue() == ""
    tell_skipped(console, [BadImage("a.jpg", "empty")])
    assert (
        console.file.getvalue()
        == "1 file could not be read as an image and is left out:\n  a.jpg: empty\n"
    )


def test_of_many_files_each_reason_is_named_with_its_first_file():
    files = [BadImage(f"{n}.cr2", "camera raw files are not read") for n in range(7)]
    assert skipped.lines([*files, BadImage("a.jpg", "empty")]) == [
        "0.cr2 and 6 more: camera raw files are not read",
        "a.jpg: empty",
    ]
    assert skipped.lines(files, ", in a file")[-1] == "… and 2 more, in a file"


def test_mistakes_and_help_are_answered_without_tensorflow(encoder_file, photographs, tmp_path):
    (tmp_path / "there.npz").write_text("x")
    mistakes = [
        (
            ["embed", "nowhere.keras", photographs, "-o", "a.npz"],
            "The encoder 'nowhere.keras' does not exist",
        ),
        (
            ["embed", encoder_file, "nowhere/", "-o", "a.npz"],
            "The image folder 'nowhere' does not exist",
        ),
        (
            ["embed", encoder_file, "nowhere.jpg", "-o", "a.npz"],
            "The image file 'nowhere.jpg' does not exist",
        ),
        (
            ["embed", encoder_file, photographs, "-o", "a.txt"],
            "The file 'a.txt' must end in .npz, .csv or .parquet, which chooses the format, got .txt.",
        ),
        (["embed", encoder_file, photographs, "-o", "there.npz"], "add --overwrite"),
        (
            ["neighbours", encoder_file, "nowhere.jpg", photographs],
            "The image file 'nowhere.jpg' does not exist",
        ),
        (
            ["neighbours", encoder_file, photographs, photographs, "-o", "a.jpg"],
            "The file 'a.jpg' must end in .png, which chooses the format, got .jpg.",
        ),
        (
            ["neighbours", encoder_file, photographs, photographs, "--csv", "a.txt"],
            "The file 'a.txt' must end in .csv, which chooses the format, got .txt.",
        ),
        (["embed", "--help"], "-o, --output"),
        (["neighbours", "--help"], "1 − cos"),
    ]
    code = """
import ast, importlib, sys
from click.testing import CliRunner
for name, *arguments in ast.literal_eval(sys.argv[1]):
    command = getattr(importlib.import_module(f"rotkeras.cli.{name}"), name)
    result = CliRunner().invoke(command, arguments)
    print(repr(f"{type(result.exception).__name__}: {result.exception}" if result.exception else result.output))
print(sorted({"tensorflow", "keras", "matplotlib", "pyarrow"} & set(sys.modules)))
"""
    given = repr([[str(each) for each in arguments] for arguments, _ in mistakes])
    result = subprocess.run(
        [sys.executable, "-c", code, given],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    *answers, loaded = result.stdout.splitlines()
    for (arguments, words), answer in zip(mistakes, answers, strict=True):
        assert words in answer
        assert answer[1:].startswith("Usage:" if "--help" in arguments else "UserError: ")
    assert loaded == "[]"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photographs", "there.npz"]


def test_the_page_names_every_option_and_its_commands_parse():
    text = (Path(__file__).parents[2] / "docs" / "guides" / "embed_images.md").read_text(
        encoding="utf-8"
    )
    lines = [
        shlex.split(line, comments=True)[1:]
        for line in text.splitlines()
        if line.startswith("rotkeras ")
    ]
    assert len(lines) == 10
    for name, *arguments in lines:
        command = {"embed": embed, "neighbours": neighbours}[name]
        assert command.make_context(name, arguments).params["given"]
    for command in (embed, neighbours):
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert any(f"`{each}" in text or f" {each} " in text for each in parameter.opts), (
                    parameter.opts
                )
