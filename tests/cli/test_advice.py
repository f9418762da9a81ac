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
from rotkeras.cli.advice import places_as_options
from rotkeras.cli.train_console import TrainConsole
from rotkeras.run.folder import Run

FOLDER = "my photos & more"
QUICK = {
    **LEAN,
    "augmentation": [],
    "train": {"epochs": 1, "images_per_batch": 8},
    "probe": {"every_epochs": 0, "train_images": 100},
}


def trained(data, **changes):
    """(what the console printed, the run) of a training in a folder with an awkward name."""
    run = Run("runs/it's #1")
    made = recipe.validate({**QUICK, **changes, "data": {"image_size": 16, **data}}, "test")
    run.check(made, overwrite=True)
    printed = io.StringIO()
    TrainConsole(Console(file=printed, width=80, soft_wrap=True, markup=False)).run(made, run)
    return printed.getvalue(), run


def suggested(text):
    """The words of each command after "next:"."""
    return [shlex.split(line.split("   (")[0]) for line in re.findall(r"next: +(.*)", text)]


def works(words, *more):
    """What a command prints; it must end well."""
    assert words[0] == "rotkeras"
    done = CliRunner().invoke(main, [*words[1:], *more])
    assert done.exit_code == 0, done.output
    return done.output


@pytest.fixture
def here(tmp_path, monkeypatch, eagerly):
    """A current folder, and a network that costs little."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(backbones.NAMES, "nin", quick_nin)
    return tmp_path


def photographs(classes, folder=FOLDER):
    """Twenty-four images of noise, in folders of these names in turn."""
    random = np.random.default_rng(0)
    for number in range(24):
        place = Run(folder).path / classes[number % len(classes)]
        place.mkdir(parents=True, exist_ok=True)
        pixels = random.integers(0, 256, (16, 16, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(place / f"{number}.png")


@pytest.mark.parametrize(
    ("classes", "data", "reason"),
    [
        ([""], {}, "the images have no labels"),
        (["one"], {"labels": "folders"}, "all training images are of one class"),
        (["a", "b"], {"validation_fraction": 0.0}, "there are no labelled validation images"),
    ],
    ids=["unlabelled", "one class", "no validation"],
)
def test_without_probes_the_images_are_to_be_looked_at(classes, data, reason, here):
    photographs(classes)
    text, run = trained({"folder": FOLDER, **data})
    assert f"no probes: {reason}" in text
    assert "evaluate" not in text
    assert "worth-it" not in text
    commands = suggested(text)
    assert [words[1] for words in commands] == ["neighbours", "embed"]
    for words in commands:
        works(words)
    again = io.StringIO()  # the files that these have written are there
    TrainConsole(Console(file=again, soft_wrap=True)).show(run.load_summary(), run)
    for words in suggested(again.getvalue()):
        assert words[-1] == "--overwrite"
        works(words)


@pytest.mark.parametrize(
    ("kind", "pooling", "expected"),
    [
        ("arrays", "none", ["attend"]),  # of feature maps, which embed does not take
        ("embedded", "average", ["neighbours", "embed"]),
    ],
)
def test_other_sources_are_named_as_the_commands_take_them(kind, pooling, expected, here):
    np.savez(
        "my arrays.npz", images=np.random.default_rng(0).integers(0, 256, (24, 20, 20, 3), "u1")
    )
    data = {
        "arrays": {"arrays": "my arrays.npz"},
        "embedded": {"embedded": "digits", "labels": "none", "train_images": 24},
    }
    text, _ = trained(data[kind], encoder={"pooling": pooling})
    commands = suggested(text)
    assert [words[1] for words in commands] == expected
    for words in commands:
        works(words)


def test_a_labelled_run_is_to_be_evaluated(here):
    photographs(["a", "b"])
    text, run = trained({"folder": FOLDER, "validation_fraction": 0.25})
    assert "The choice of tap conv2 is arbitrary: on 6 validation images" in text.replace("\n", " ")
    shown = text[text.index("\nrotation accuracy") : text.index("load it")]
    assert max(map(len, shown.splitlines())) <= 80
    summary = run.load_summary()
    assert summary["encoder"]["best"]["arbitrary"]
    assert summary["probes"]["images"] == 6
    (evaluate,) = suggested(text)
    assert evaluate[1] == "evaluate"
    Run(FOLDER).path.rename("moved away")
    printed = works(evaluate, "--probe", "ridge", "--set", "data.folder=moved away")
    assert "The choice of tap is arbitrary for ridge (trained)" in printed.replace("\n", " ")
    assert "There is no test set" in printed
    (report,) = suggested(printed)
    assert report[-2:] == ["--set", "data.folder=moved away"]
    works(report)


def test_a_class_that_cannot_be_probed_is_named_and_the_others_are_probed(here):
    photographs(["a", "b"])
    (here / FOLDER / "c").mkdir()
    (here / FOLDER / "a" / "0.png").rename(here / FOLDER / "c" / "0.png")
    text, run = trained({"folder": FOLDER, "validation_fraction": 0.25})
    assert "note: class 'c' has no validation image, so the probes cannot measure it" in text
    assert run.load_summary()["probes"]["trained"]
    (evaluate,) = suggested(text)
    printed = works(evaluate, "--probe", "ridge", "--tap", "conv2")
    assert "note: class 'c' has no validation image" in printed


def test_what_was_said_about_the_places_of_images_is_said_again():
    assert places_as_options(None) == []
    assert places_as_options({"folder": "a b", "cache": None}, "sets") == [
        *("--set", "data.folder=a b", "--set", "data.cache=null", "--data-dir", "sets")
    ]
