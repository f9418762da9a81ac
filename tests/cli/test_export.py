import json
import re
import shlex
import shutil

import pytest
from click.testing import CliRunner

from rotkeras.cli import main
from rotkeras.cli.export_console import _with_auto
from rotkeras.run.folder import Run


def ask(*arguments):
    return CliRunner().invoke(main, ["export", *map(str, arguments)])


@pytest.fixture
def run(exported_run, tmp_path):
    return shutil.copytree(
        exported_run.path, tmp_path / "run", ignore=shutil.ignore_patterns("export")
    )


def test_one_file_and_its_proof_in_a_terminal_of_eighty_columns(run):
    result = ask(
        run, "--profile", "float32", "--no-saved-model", "--tap", "conv1", "--images", "30"
    )
    assert result.exit_code == 0, result.output
    assert "float32" in result.output
    assert "passed: no significant accuracy drop above 0.5 points" in result.output
    assert "30 held-out images" in result.output
    assert (
        "accuracy in Keras (probes: of the encoder's vectors, one per image): ridge"
        in result.output
    )
    assert (
        "too few to exclude a drop of 0.5 points in encoder-float32.tflite; that takes at least 600"
        in " ".join(result.output.split())
    )
    assert max(map(len, result.output.replace(str(run), "runs/small").splitlines())) <= 100
    proof = json.loads((run / "export" / "verify.json").read_text())
    assert proof["encoder"]["tap"] == "conv1"
    assert list(proof["files"]) == ["encoder-float32.tflite"]
    again = ask(run, "--profile", "float32")
    assert (again.exit_code, "add --overwrite" in again.output) == (2, True)


def test_a_rejected_export_is_exit_code_one(run, monkeypatch):

    monkeypatch.setattr("rotkeras.export.write.exceeds", lambda record, points: True)
    result = ask(run, "--profile", "float32", "--no-saved-model")
    assert result.exit_code == 1
    assert "REJECTED: encoder-float32.tflite: ridge +0.00 points of accuracy lost" in result.output
    assert "nothing was exported; the rejected files are in" in result.output
    assert not (run / "export").exists()
    assert (run / "export-rejected" / "encoder-float32.tflite").exists()
    (run / "export").mkdir()
    (run / "export" / "verify.json").write_text("{}")  # of an earlier export
    where = ["--set", f"data.data_dir={run}"]
    result = ask(run, "--profile", "float32", "--no-saved-model", "--overwrite", *where)
    words = shlex.split(re.search("next: +(.*)", result.output)[1])
    assert words[-3:] == ["--overwrite", *where]
    monkeypatch.undo()
    result = CliRunner().invoke(main, [*words[1:], "--no-saved-model"])
    assert result.exit_code == 0, result.output
    assert len([*(run / "export").glob("encoder-*.tflite")]) == 1


def test_the_command_after_a_rejected_export_names_its_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    line = _with_auto(tmp_path / "my files-rejected", Run("runs/a b"), ())
    assert shlex.split(line)[2:] == [*("runs/a b", "--profile", "auto", "-o", "my files")]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            ["--profile", "int4"],
            "There is no export profile 'int4'; did you mean 'int8'? valid: float32, float16, dynamic, mixed, int16x8, int8, mediapipe, learner, classifier, orient, onnx.",
        ),
        (["--tap", "conv8"], "must be one of 'conv1', 'conv2', 'conv3', got 'conv8'"),
        (["--calibration-images", "99"], "--calibration-images must be at least 100, got 99."),
        (["--max-drop", "-1"], "--max-drop must be at least 0, got -1.0."),
        (["--images", "0"], "--images must be at least 1, got 0."),
        (["--input-size", "3"], "--input-size must be at least 8, got 3."),
        (["--classes", "1"], "--classes must be at least 2, got 1."),
        (["--calibration-images", "500"], "calibrated on 500 training images, and there are 320"),
    ],
)
def test_mistakes_are_one_sentence(run, options, words):
    result = ask(run, *options)
    assert result.exit_code == 2, result.output
    assert words in result.output
    assert "Traceback" not in result.output
    assert not (run / "export").exists()
    assert not list(run.glob(".part*"))


def test_a_run_that_is_none(tmp_path):
    result = ask(tmp_path / "nowhere")
    assert (result.exit_code, "does not exist" in result.output) == (2, True)


def test_a_recipe_with_the_section_exports_when_training_ends(run):
    from rotkeras.cli.train_console import TrainConsole
    from rotkeras.recipe.models import Export
    from rotkeras.training.build import load_source

    made = Run(run)
    recipe = made.load_recipe()
    settings = Export(profiles=["dynamic"], saved_model=False, max_drop=100)
    console = TrainConsole()
    console._export(recipe.model_copy(update={"export": settings}), made, load_source(recipe), [])
    assert not console.rejected
    assert {each.name for each in made.export.iterdir()} >= {
        "encoder-dynamic.tflite",
        "verify.json",
        "model_card.md",
    }
    assert (
        f"Command: `rotkeras export {made.path} --overwrite`"
        in (made.export / "model_card.md").read_text()
    )
    console._export(
        recipe.model_copy(update={"export": settings.model_copy(update={"tap": "conv7"})}),
        made,
        load_source(recipe),
        [],
    )
    assert console.rejected


def test_a_recipe_that_cannot_be_exported_is_told_before_training(tmp_path):
    result = CliRunner().invoke(
        main,
        ["train", "quickstart", "--set", "export.tap=conv9", "--run-dir", str(tmp_path / "run")],
    )
    assert (result.exit_code, "got 'conv9'" in result.output) == (2, True)
    assert not (tmp_path / "run").exists()


def test_a_training_whose_export_was_rejected_ends_with_exit_code_one(tmp_path, monkeypatch):
    from rotkeras.cli import train_console

    monkeypatch.setattr(
        train_console.TrainConsole, "run", lambda self, *_: setattr(self, "rejected", True)
    )
    result = CliRunner().invoke(main, ["train", "quickstart", "--run-dir", str(tmp_path / "run")])
    assert result.exit_code == 1
