"""`rotkeras orient`: what is results of a folder of turned photographs, and what is written."""

import contextlib
import csv
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from bright_side import bright_side, sky
from click.testing import CliRunner
from PIL import Image, ImageOps

from rotkeras.cli.orient import orient, summary, turned_ones
from rotkeras.device.orienter import Orienter
from rotkeras.errors import UserError
from rotkeras.orient.files import COLUMNS, Oriented, Wishes, find_images
from rotkeras.orient.files import orient as tell
from rotkeras.orient.network import find_orientation_file, load_orienter

ANGLES = (0, 90, 180, 270)


def call(*arguments):
    result = CliRunner().invoke(orient, [str(each) for each in arguments])
    if isinstance(result.exception, UserError):  # the group makes exit code 2 of it
        raise result.exception
    assert result.exit_code in (0, 2), result.output
    return result.output


@pytest.fixture
def network(tmp_path, monkeypatch):
    """The path of a network that asks which side is bright."""
    file = tmp_path / "orient.tflite"
    file.touch()
    monkeypatch.setattr(
        "rotkeras.orient.network.Orienter", lambda *_: Orienter.of(bright_side(), 16, ANGLES)
    )
    return file


@pytest.fixture
def photographs(tmp_path):
    """Photographs in all turns and orientations, one that has no up, one that is none. {name:
    angle} of those that have one."""
    folder, angles = tmp_path / "photographs", {}
    for number in range(16):
        angle = 90 * (number % 4)
        name = f"{'ab'[number % 2]}/{number:02}.{('jpg', 'png', 'webp')[number % 3]}"
        tags = Image.Exif()
        orientation = (1, 3, 6, 8)[number // 4]
        stored = np.rot90(sky(40, 48, angle, seed=number), {1: 0, 3: 2, 6: 1, 8: 3}[orientation])
        tags[0x0112] = orientation
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(stored).save(folder / name, exif=tags)
        angles[name] = angle
    Image.new("RGB", (40, 40), "grey").save(folder / "wall.png")
    (folder / "broken.jpg").write_text("no image")
    return folder, angles


@pytest.fixture
def run(tmp_path, quick_backbone):
    """A run folder with a network that learned nothing."""
    from small_training import SMALL

    from rotkeras import recipe
    from rotkeras.pretext import Rotation
    from rotkeras.run.folder import Run

    run = Run(tmp_path / "a run")
    made = recipe.validate(SMALL, "test")
    run.check(made)
    run.begin(made)
    Rotation().build_model(quick_backbone).save(run.model)
    return run


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def shown(path):
    return np.asarray(ImageOps.exif_transpose(Image.open(path)))


def test_what_is_told_fits_a_terminal_and_the_table_has_it_all(network, photographs, tmp_path):
    folder, angles = photographs
    output = call(network, folder, "--csv", tmp_path / "results.csv")
    lines = output.splitlines()
    assert lines[2:9] == [
        "upright             4",
        "turned 90°          4   counter-clockwise",
        "turned 180°         4   counter-clockwise",
        "turned 270°         4   counter-clockwise",
        "unsure              1   below a confidence of 0.9, left as they are",
        "unreadable          1",
        "images             18",
    ]
    assert "  broken.jpg" in lines[1].replace(str(folder) + "/", "")
    assert sum(line.endswith((".jpg", ".png", ".webp")) for line in lines[9:]) == 12
    assert not (tmp_path / "upright").exists()
    with open(tmp_path / "results.csv", encoding="utf-8", newline="") as file:
        rows = {row["path"]: row for row in csv.DictReader(file)}
    assert tuple(rows["wall.png"]) == COLUMNS
    for name, angle in angles.items():
        row = rows[name]
        assert (row["angle"], row["action"], row["written"]) == (
            str(angle),
            "turned" if angle else "upright",
            "",
        )
        assert float(row["confidence"]) > 0.9
        assert row["exif_orientation"] == str((1, 3, 6, 8)[int(name[2:4]) // 4])
    assert (
        rows["wall.png"]["angle"],
        rows["wall.png"]["confidence"],
        rows["wall.png"]["action"],
    ) == ("0", "0.2500", "unsure")
    assert list(rows["broken.jpg"].values()) == [
        "broken.jpg",
        "",
        "",
        "",
        "unreadable",
        "",
        "its content is not an image",
    ]


def test_turned_photographs_are_copied_upright_and_no_others(network, photographs, tmp_path):
    folder, angles = photographs
    before = contents(folder)
    output = call(network, folder, "--fix", tmp_path / "upright")
    turned = {name for name, angle in angles.items() if angle}
    assert contents(folder) == before
    assert set(contents(tmp_path / "upright")) == turned
    for name in turned:
        np.testing.assert_array_equal(
            shown(tmp_path / "upright" / name), np.rot90(shown(folder / name), -angles[name] // 90)
        )
        if name.endswith("jpg"):
            copy = (tmp_path / "upright" / name).read_bytes()
            assert sum(a != b for a, b in zip(copy, before[name], strict=True)) == 1
    assert "12 copies in" in output
    assert "by the orientation tag, pixels untouched" in output


def test_all_files_are_there_with_copy_all_and_a_second_look_finds_all_upright(
    network, photographs, tmp_path
):
    folder, angles = photographs
    call(network, folder, "--fix", tmp_path / "upright", "--copy-all")
    before, after = contents(folder), contents(tmp_path / "upright")
    assert after.keys() == before.keys()
    assert all(after[name] == before[name] for name in before if not angles.get(name))
    again = call(network, tmp_path / "upright")
    assert "upright            16" in again
    assert "turned" not in again


def test_with_pixels_the_stored_pixels_are_upright_too(network, photographs, tmp_path):
    folder, angles = photographs
    call(network, folder, "--fix", tmp_path / "upright", "--pixels", "--copy-all")
    for name in angles:
        copy = Image.open(tmp_path / "upright" / name)
        assert copy.getexif().get(0x0112, 1) == 1
        expected = np.rot90(shown(folder / name), -angles[name] // 90)
        stored = np.asarray(copy)
        if name.endswith(".jpg"):
            assert np.abs(stored.astype(int) - expected).mean() < 12
        else:
            np.testing.assert_array_equal(stored, expected)


def test_below_the_confidence_nothing_is_turned(network, photographs, tmp_path):
    folder, _ = photographs
    output = call(network, folder, "--fix", tmp_path / "upright", "--confidence", "1")
    assert "unsure             17" in output
    assert "0 copies in" in output
    assert contents(tmp_path / "upright") == {}


def test_what_cannot_be_put_upright_is_named_and_stops_nothing(network, photographs, tmp_path):
    folder, _ = photographs
    frames = [Image.fromarray(sky(40, 40, 90, seed)) for seed in range(2)]
    frames[0].save(folder / "moving.gif", save_all=True, append_images=frames[1:])
    output = call(network, folder, "--fix", tmp_path / "upright", "--csv", tmp_path / "results.csv")
    assert "1 could not be put upright:\n  moving.gif: it has 2 frames or pages" in output
    assert "12 copies in" in output
    call(network, folder, "--fix", tmp_path / "all", "--copy-all")
    assert (tmp_path / "all" / "moving.gif").read_bytes() == (folder / "moving.gif").read_bytes()


def test_originals_are_safe(network, photographs, tmp_path):
    folder, _ = photographs
    before = contents(folder)
    (tmp_path / "elsewhere").mkdir()
    shutil.move(folder / "a", tmp_path / "elsewhere" / "a")
    (folder / "a").symlink_to(tmp_path / "elsewhere" / "a")
    for place in (folder, folder / "sub", tmp_path):
        with pytest.raises(
            UserError,
            match=r"that of the images\. Give a folder beside it, so that the originals stay\.",
        ):
            call(network, folder, "--fix", place, "--overwrite")
    with pytest.raises(UserError, match="Give a folder that holds none of the originals"):
        call(network, folder, "--fix", tmp_path / "elsewhere", "--overwrite")
    with pytest.raises(UserError, match="holds files already: add --overwrite"):
        call(network, folder, "--fix", tmp_path / "elsewhere")
    assert (
        contents(folder)
        | {f"a/{each}": data for each, data in contents(tmp_path / "elsewhere" / "a").items()}
        == before
    )


def test_one_file_and_mistakes(network, photographs, tmp_path):
    folder, _ = photographs
    assert "turned 90°          1" in call(
        network, folder / "b" / "01.png", "--fix", tmp_path / "one"
    )
    assert list(contents(tmp_path / "one")) == ["01.png"]
    with pytest.raises(
        UserError,
        match=r"does not exist\. Give the path of an image file or of a folder of images\.",
    ):
        call(network, tmp_path / "nothing")
    with pytest.raises(UserError, match="None of the images could be read"):
        call(network, folder / "broken.jpg")
    with pytest.raises(UserError, match="cannot be written"):
        call(network, folder, "--fix", network / "below a file")
    with pytest.raises(
        UserError, match=r"must end in \.csv, which chooses the format, got \.txt\."
    ):
        call(network, folder, "--csv", tmp_path / "a.txt")
    assert "--pixels needs --fix FOLDER" in call(network, folder, "--pixels")


def test_the_list_of_turned_images_is_short(tmp_path):
    results = [
        Oriented(tmp_path / f"{'x' * 90}{number}.jpg", 90, 0.95, 1, "turned")
        for number in range(25)
    ]
    lines = turned_ones(results)
    assert len(lines) == 23
    assert lines[-1] == "… and 5 more; all of them with --csv FILE"
    assert max(map(len, lines + summary(results, 0.123456))) <= 80
    assert lines[2].endswith("xxx0.jpg")


def test_exported_files_need_no_tensorflow(exported, tmp_path, digit_source):
    digits = np.asarray(digit_source.test.take(slice(0, 8)))
    (tmp_path / "digits").mkdir()
    for number, digit in enumerate(digits):
        Image.fromarray(np.rot90(digit, number % 4)).save(tmp_path / "digits" / f"{number}.png")
    code = f"""
import sys
from click.testing import CliRunner
from rotkeras.cli.orient import orient
result = CliRunner().invoke(orient, ["{exported}", "{tmp_path / "digits"}", "--fix", "{tmp_path / "upright"}", "--confidence", "0"])
assert result.exit_code == 0, (result.output, result.exception)
print(result.output, [name for name in ("tensorflow", "keras") if name in sys.modules])"""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    output = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    ).stdout
    assert "images              8" in output
    assert output.splitlines()[-1].strip() == "[]"
    assert len(contents(tmp_path / "upright")) >= 3


def test_a_run_and_its_saved_model_answer_alike(run, tmp_path, digit_source):
    import keras
    import tensorflow as tf

    file = find_orientation_file(run.path)
    assert (file.path, file.angles, file.needs_tensorflow) == (run.model, ANGLES, True)
    model = keras.models.load_model(run.model, compile=False)
    digits = np.asarray(digit_source.test.take(slice(0, 5)))
    answers = load_orienter(file).orient(digits, single_look=True)
    expected = keras.ops.convert_to_numpy(keras.ops.softmax(model(digits)))
    np.testing.assert_allclose([each.probabilities for each in answers], expected, atol=1e-6)

    copy = tmp_path / "[run] #1"  # TensorFlow takes [ for a pattern
    shutil.copytree(run.path, copy, ignore=shutil.ignore_patterns("model.keras"))
    archive = tf.Module()
    archive.model = model
    size = model.input_shape[1]
    rotation = tf.function(
        lambda images: {"probabilities": tf.nn.softmax(model(images, training=False))},
        input_signature=[tf.TensorSpec([None, size, size, 3], tf.uint8, name="images")],
    )
    tf.saved_model.save(
        archive, str(copy / "export" / "saved_model"), signatures={"rotation": rotation}
    )
    file = find_orientation_file(copy / "export" / "saved_model")
    assert file.angles == ANGLES
    saved = load_orienter(file)
    for one, other in zip(saved.orient(digits, single_look=True), answers, strict=True):
        np.testing.assert_allclose(one.probabilities, other.probabilities, atol=1e-6)
    results = tell(saved, find_images(_write(digits, tmp_path / "digits")), Wishes())
    assert [each.angle for each in results] == [each.angle for each in saved.orient(digits)]


def _write(images, folder):
    folder.mkdir()
    for number, image in enumerate(images):
        Image.fromarray(image).save(folder / f"{number}.png")
    return folder


def test_the_network_is_found_or_the_mistake_named(run, exported, tmp_path):
    assert find_orientation_file(exported) == find_orientation_file(exported / "orient.tflite")
    assert find_orientation_file(run.path).path == run.model
    run.export.mkdir()
    shutil.copy(exported / "orient.tflite", run.export)
    assert find_orientation_file(run.path).path == run.export / "orient.tflite"
    for path, reason in (
        (
            tmp_path / "none",
            r"does not exist: give the path of an orient\.tflite, a run folder or a SavedModel folder\.",
        ),
        (run.model, r"run/model\.keras' does not list its angles\. Give its run folder\."),
        (tmp_path / "empty", "holds no network"),
        (
            tmp_path / "saved",
            r"does not list its angles\. Write assets/angles\.txt, with one angle in degrees per line, or use the folder that rotkeras export wrote\.",
        ),
    ):
        (tmp_path / "empty").mkdir(exist_ok=True)
        (tmp_path / "saved").mkdir(exist_ok=True)
        (tmp_path / "saved" / "saved_model.pb").touch()
        with pytest.raises(UserError, match=reason):
            find_orientation_file(path)
    (tmp_path / "saved" / "assets").mkdir()
    (tmp_path / "saved" / "assets" / "angles.txt").write_text("0\n90\n180\n270\n")
    file = find_orientation_file(tmp_path / "saved")
    assert file.angles == ANGLES
    (tmp_path / "saved" / "assets" / "angles.txt").unlink()
    for angles, reason in (([180, 0], None), (None, "predicts no angles")):
        (tmp_path / "verify.json").write_text(json.dumps({"encoder": {"angles": angles}}))
        with pytest.raises(UserError, match=reason) if reason else contextlib.nullcontext():
            assert find_orientation_file(tmp_path / "saved").angles == (180, 0)
    with pytest.raises(UserError, match="could not be loaded"):
        load_orienter(file)
