"""`rotkeras audit`."""

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from rich.console import Console
from sklearn.datasets import load_sample_image

from rotkeras.audit.report import Folder
from rotkeras.cli.audit import audit
from rotkeras.cli.audit_console import folder_table
from rotkeras.errors import UserError


def call(*arguments):
    result = CliRunner().invoke(audit, [str(each) for each in arguments])
    if isinstance(result.exception, UserError):  # the group makes exit code 2 of it
        raise result.exception
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture
def photographs(tmp_path):
    """Thirty pictures of soft noise in two folders, one of them turned by its EXIF orientation, and
    a file that is none."""
    folder = tmp_path / "photographs"
    random = np.random.default_rng(0)
    for number in range(30):
        small = random.integers(0, 256, (5, 5, 3), dtype=np.uint8)
        picture = Image.fromarray(small).resize((40, 30), Image.Resampling.BICUBIC)
        exif = picture.getexif()
        if number == 0:
            exif[0x0112] = 6
        path = folder / ("cat", "dog [bold]x")[number % 2] / f"{number:02d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        picture.save(path, exif=exif)
    (folder / "cat" / "bad.jpg").write_text("no image")
    return folder


def test_too_few_images_end_with_exit_code_3_and_a_page(photographs, tmp_path):
    result = call(photographs, "-o", tmp_path / "a.html", "--json", tmp_path / "a.json")
    assert result.exit_code == 3
    lines = result.output.splitlines()
    assert (
        "images are resized to 64 × 64, as by `rotkeras train folder`; change it with --image-size"
        in lines
    )
    assert any(line.startswith("dog [bold]x") for line in lines)
    assert any("1 of 30 files are rotated by their EXIF orientation" in line for line in lines)
    assert any(
        line.startswith("too few images to decide: nothing was found in the files of photographs")
        for line in lines
    )
    assert any("bad.jpg: its content is not an image" in line for line in lines)
    assert lines[-1] == f"open: {tmp_path / 'a.html'}"
    assert "Audit of photographs" in (tmp_path / "a.html").read_text()
    told = json.loads((tmp_path / "a.json").read_text())
    assert told["fit"] is None
    assert told["folders"][0]["images"] == 30


def test_findings_end_with_exit_code_1_and_say_what_to_do(photographs, tmp_path):
    for path in (photographs / "cat").glob("??.jpg"):
        with Image.open(path) as picture:
            picture.crop((5, 0, 35, 30)).rotate(40, Image.Resampling.BILINEAR).save(
                path, quality=95
            )
    result = call(photographs, "-o", tmp_path / "a.html", "--image-size", 30)
    assert result.exit_code == 1
    assert "corners: " in result.output
    assert "how to fix it: use the originals" in result.output
    assert "images as" not in result.output
    assert "corners" in (tmp_path / "a.html").read_text()


def test_the_page_is_named_audit_html_and_kept(photographs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "audit.html").write_text("precious")
    with pytest.raises(
        UserError,
        match=r"The page 'audit\.html' already exists\. Add --overwrite, or give another name\.",
    ):
        call(photographs)
    assert (tmp_path / "audit.html").read_text() == "precious"
    assert call(photographs, "--overwrite").exit_code == 3
    assert (tmp_path / "audit.html").read_text() != "precious"


def test_mistakes_are_told_before_the_work(photographs, tmp_path):
    for arguments, words in (
        ((tmp_path / "nowhere",), "does not exist. Give the path of a folder of images."),
        ((photographs, "-o", tmp_path / "a.pdf"), "must end in .html, got .pdf."),
        (
            (photographs, "-o", tmp_path / "a.html", "--json", tmp_path / "a.txt"),
            "must end in .json, which chooses the format, got .txt.",
        ),
        (
            (photographs, "-o", tmp_path / "a.html", "--image-size", 3),
            "image_size must be at least 8, got 3.",
        ),
        (
            (photographs, "-o", tmp_path / "a.html", "--images", 0),
            "images must be at least 1, got 0.",
        ),
    ):
        with pytest.raises(UserError) as error:
            call(*arguments)
        assert words in str(error.value)
    assert [each.name for each in tmp_path.iterdir()] == ["photographs"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_leaves_nothing(photographs, tmp_path, monkeypatch, number):
    from rotkeras.audit import collection

    def interrupted(path, size):
        os.kill(os.getpid(), number)
        return np.zeros((size, size, 3), np.uint8)

    monkeypatch.setattr(collection, "read_picture", interrupted)
    result = call(photographs, "-o", tmp_path / "a.html")
    assert result.exit_code == 128 + number
    assert "Interrupted; no unfinished file was left." in result.output
    assert [each.name for each in tmp_path.iterdir()] == ["photographs"]


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """Six hundred pictures of soft noise, each of a colour of its own, in an array file."""
    random = np.random.default_rng(0)
    noise = np.stack(
        [
            np.asarray(
                Image.fromarray(random.integers(0, 80, (5, 5, 3), np.uint8)).resize(
                    (32, 32), Image.Resampling.BICUBIC
                )
            )
            for _ in range(600)
        ]
    )
    images = noise + random.integers(20, 150, (600, 1, 1, 3), np.uint8)
    path = tmp_path_factory.mktemp("many") / "many.npz"
    np.savez(path, images=images)
    return path


def test_another_task_is_searched_for_shortcuts(many, tmp_path):
    where = ("-o", tmp_path / "a.html", "--json", tmp_path / "a.json", "--overwrite")
    result = call(many, "--task", "simclr", *where)
    assert result.exit_code == 0, result.output
    assert "suitable: nothing was found against the task simclr on many." in result.output
    assert "in %; the task predicts no rotations, so no network looked for an up" in result.output
    assert "accuracy for the views of one image of predictors that see a shortcut" in result.output
    assert "(chance is 1.56):" in result.output
    assert all(len(line) <= 80 for line in result.output.splitlines() if "±" in line)
    told = json.loads((tmp_path / "a.json").read_text())
    assert told["task"] == "simclr"
    assert {each["kind"] for each in told["shortcuts"]} == {"pairs"}
    without = ("--set", "task.color_strength=0", "--set", "task.grayscale=0")
    result = call(many, "--task", "simclr", *without, *where)
    assert result.exit_code == 1
    assert "colour: mean colours alone reveal the views of one image" in result.output
    assert "how to fix it: set task.color_strength to 0.5 or more" in result.output
    assert "Shortcuts: views of one image" in (tmp_path / "a.html").read_text()


def test_a_recipe_of_ones_own_says_task_augmentation_and_size(many, tmp_path):
    from rotkeras.cli.audit_task import named_task

    recipe = tmp_path / "mine.yaml"
    recipe.write_text(
        "task: {name: simclr, blur: 0.5}\ndata: {folder: photos, image_size: 24}\n"
        "augmentation: [{name: random_grayscale, probability: 1.0}]\n"
    )
    named = named_task(str(recipe), ["task.blur=0.25"])
    assert (named.task.blur, named.image_size, len(named.augmentation)) == (0.25, 24, 1)
    named = named_task("rotation", ["task.angles=[0, 180]"])
    assert (named.task.angles, named.image_size, named.augmentation) == ((0, 180), None, ())


def test_mistakes_of_a_task_are_told_before_the_work(many, tmp_path):
    for arguments, words in (
        (("--task", "simclir"), "did you mean 'simclr'?"),
        (("--set", "task.blur=0"), "--set needs --task, whose recipe it changes"),
        (("--task", "simclr", "--set", "task.blr=0"), "did you mean 'blur'?"),
        (
            ("--task", "simclr", "--set", "data.image_size=[8, 16]"),
            "data.image_size must be one number for an audit, got [8, 16]",
        ),
    ):
        with pytest.raises(UserError) as error:
            call(many, "-o", tmp_path / "a.html", *arguments)
        assert words in str(error.value)
    assert not [*tmp_path.iterdir()]


def test_a_recipe_of_crops_is_audited_on_its_crops_and_takes_an_image_file(tmp_path):
    photograph = tmp_path / "china.png"
    Image.fromarray(load_sample_image("china.jpg")).save(photograph)
    where = ("-o", tmp_path / "a.html", "--json", tmp_path / "a.json")
    crops = ("--task", "single_image", "--set", "data.crops.count=120")
    result = call(photograph, *crops, *where)
    assert result.exit_code == 3  # too few to decide
    assert "images are 120 crops of 1 photograph" in " ".join(result.output.split()).lower()
    told = json.loads((tmp_path / "a.json").read_text())
    assert (told["folders"][0]["images"], told["image_size"]) == (120, 32)
    for arguments, words in (
        ((), "is a file. Give a folder of images"),
        (("--task", "simclr"), "is a file. Give a folder of images"),
        ((*crops[:2], "--set", "data.crops=null"), "is a file. Give a folder of images"),
        ((*crops, "--crops"), "the recipe single_image makes crops of its own (data.crops)"),
        ((*crops[:2], "--set", "data.crops.count=0"), "data.crops.count must be at least 1"),
    ):
        with pytest.raises(UserError) as error:
            call(photograph, *where[:1], tmp_path / "b.html", *arguments)
        assert words in str(error.value)


def test_crops_of_photographs_are_what_training_sees(photographs):
    from rotkeras.audit.collection import open_collection
    from rotkeras.data import Crops, load

    crops = Crops(count=62)
    found = open_collection(photographs, image_size=16, crops=crops)
    trained = load(photographs, image_size=16, crops=crops, validation_fraction=0).train
    assert len(found) == len(trained) == 60  # the share of the file that is none is left out
    np.testing.assert_array_equal(found.read(7).pixels, trained.take(np.array([7]))[0])
    assert [each.path for each in found.unreadable]
    with pytest.raises(UserError, match="crops are made of image files, got kind 'embedded'"):
        open_collection("digits", crops=crops)


def test_tables_fit_eighty_columns(capsys):
    folders = [
        Folder(
            "a very long name of a folder 日本 " * 3,
            123_456,
            1,
            1,
            1.0,
            1.0,
            0.5,
            0.5,
            5000,
            1.0,
            0.012,
            1.0,
            1.0,
        )
    ] * 30
    for plain in (True, False):
        console = Console(width=80, force_terminal=not plain, color_system=None)
        with console.capture() as captured:
            console.print(folder_table(folders, plain))
        lines = captured.get().splitlines()
        assert len(lines) - (0 if plain else 3) <= 23
        assert all(len(line.rstrip()) <= 80 for line in lines)
        assert "123,456" in lines[-1] or "123,456" in lines[-2]
        assert "100.0" in captured.get()


def test_of_many_folders_those_with_the_least_up_are_shown():
    folders = [Folder("(all)", 1, 0, 0, 0, 0, 0, 0)] + [
        Folder(f"f{number:02d}", 1, 0, 0, 0, 0, 0, 0, 1, 1 - number / 100, 0.1, 0, 0)
        for number in range(40)
    ]
    console = Console(width=80)
    with console.capture() as captured:
        console.print(folder_table(folders, True))
    shown = [line.split()[0] for line in captured.get().splitlines()[1:]]
    assert shown == ["(all)", *(f"f{number}" for number in range(39, 19, -1))]


def test_help_imports_nothing_slow():
    script = """
import sys
from click.testing import CliRunner
from rotkeras.cli.audit import audit
result = CliRunner().invoke(audit, ["--help"])
assert result.exit_code == 0 and "Exit code 0:" in result.output, result.output
print([name for name in ("tensorflow", "keras", "sklearn", "matplotlib") if name in sys.modules])"""
    assert (
        subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=True
        ).stdout
        == "[]\n"
    )
