"""Commands that are suggested work for the run they are suggested for."""

import io
import re
import shlex

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from rich.console import Console
from small_training import LEAN, quick_nin

from rotkeras import backbones, recipe
from rotkeras.cli import main
from rotkeras.cli.advice import about_choice
from rotkeras.cli.train_console import TrainConsole
from rotkeras.run import Run

QUICK = {
    **LEAN,
    "augmentation": [],
    "train": {"epochs": 1, "images_per_batch": 8},
    "probe": {"every_epochs": 0, "train_images": 100},
}


def trained(tmp_path, monkeypatch, data):
    """(what the console printed, the run) of a training in a folder with an awkward name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(backbones.NAMES, "nin", quick_nin)
    run = Run("runs/it's #1")
    made = recipe.validate({**QUICK, "data": {"image_size": 16, **data}}, "test")
    run.check(made)
    printed = io.StringIO()
    TrainConsole(Console(file=printed, soft_wrap=True, markup=False)).run(made, run)
    return printed.getvalue(), run


def suggested(text):
    return [shlex.split(line.split("  (")[0]) for line in re.findall(r"next: +(.*)", text)]


def photographs(tmp_path, classes):
    random = np.random.default_rng(0)
    for number in range(24):
        place = tmp_path / "my photos & more" / classes[number % len(classes)]
        place.mkdir(parents=True, exist_ok=True)
        pixels = random.integers(0, 256, (16, 16, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(place / f"{number}.png")


@pytest.mark.parametrize(
    ("classes", "data", "reason", "command"),
    [
        ([""], {}, "the images have no labels", "neighbours"),
        (["one"], {"labels": "folders"}, "all training images are of one class", "neighbours"),
        (["a", "b"], {"validation_fraction": 0.0}, "there is no validation part", "neighbours"),
        (["a", "b"], {"validation_fraction": 0.25}, "", "evaluate"),
    ],
    ids=["unlabelled", "one class", "no validation", "labelled"],
)
def test_what_is_suggested_after_a_training_works(
    classes, data, reason, command, tmp_path, monkeypatch, eagerly
):
    photographs(tmp_path, classes)
    text, _ = trained(tmp_path, monkeypatch, {"folder": "my photos & more", **data})
    if reason:
        assert f"features are not probed: {reason}" in text
    commands = suggested(text)
    assert [words[:2] for words in commands] == [["rotkeras", command]]
    for words in commands:
        quick = ["--probe", "ridge"] if command == "evaluate" else []
        done = CliRunner().invoke(main, [*words[1:], *quick])
        assert done.exit_code == 0, done.output
        for line in re.findall(r"see it: +(rotkeras .*)", done.output):
            more = CliRunner().invoke(main, [*shlex.split(line)[1:], "--no-pictures"])
            assert more.exit_code == 0, more.output


def test_an_arbitrary_choice_is_said():
    best = {"tap": "conv2", "rivals": ["conv1", "conv2"], "arbitrary": True}
    first, second = about_choice(best, 18)
    assert "The choice of tap conv2 is arbitrary: on 18 validation images" in first
    assert "second tap is the default" in second
    some = {"tap": "conv1", "rivals": ["conv1", "conv2"], "arbitrary": False}
    assert about_choice(some, 300) == [
        "On 300 validation images conv1 cannot be distinguished from conv2."
    ]
    assert about_choice({"tap": "conv1", "rivals": ["conv1"], "arbitrary": False}, 300) == []
    assert about_choice({"tap": "conv1"}, 300) == []
