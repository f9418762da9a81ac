"""`rotkeras finetune`, from the command to proven files, and its mistakes."""

import json
import runpy
import shutil
import subprocess
import sys

import keras
import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from small_transfer import SHAPES, drawn

from rotkeras.cli import main
from rotkeras.recipe.files import validate_kind
from rotkeras.transfer.run import FILES
from rotkeras.transfer.settings import FineTuning

NAMES = {"classify": "classifier", "detect": "detector", "segment": "segmenter"}
SCORES = {"classify": "accuracy", "detect": "map", "segment": "miou"}


def invoke(*arguments):
    return CliRunner().invoke(main, [str(each) for each in arguments])


def refused(*arguments):
    result = invoke(*arguments)
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.output
    return result.output


@pytest.mark.parametrize("task", NAMES)
class TestWritten:
    def test_the_folder_is_whole(self, task, fine_tuned):
        _, folder = fine_tuned[task]
        assert {each.name for each in folder.iterdir()} == {*FILES, "export"}
        files = {f"{NAMES[task]}-{profile}.tflite" for profile in ("float32", "dynamic")}
        assert {each.name for each in (folder / "export").iterdir()} == {
            *files,
            "verify.json",
            "example.py",
            "example.kt",
            "model_card.md",
        }
        assert not list(folder.parent.glob(".*"))  # nothing unfinished is left

    def test_the_summary_says_what_was_done(self, task, fine_tuned, labelled_sets):
        said, folder = fine_tuned[task]
        summary = json.loads((folder / "summary.json").read_text())
        assert summary["task"] == task
        assert summary["score"] == SCORES[task]
        assert summary["images"] == {"train": 8, "validation": 4, "test": 4}
        names = list(SHAPES) if task != "segment" else ["ground", *SHAPES]
        assert summary["class_names"] == list(summary["test"]["classes"]) == names
        test = summary["test"]
        assert 0 <= test["low"] <= test["score"] <= test["high"] <= 1
        assert (summary["best_epoch"], summary["epochs"], summary["seed"]) == (1, 1, 0)
        assert summary["encoder_words"] == "with the weights of encoder.keras"
        assert f"{summary['score_words']} {100 * test['score']:.1f} %" in said
        assert f"page:    {folder / 'report.html'}" in said
        assert "8 training + 4 validation + 4 test images" in said

    def test_the_recipe_is_resolved_and_runs_again(self, task, fine_tuned, labelled_sets):
        _, folder = fine_tuned[task]
        made = validate_kind(FineTuning, yaml.safe_load((folder / "recipe.yaml").read_text()), "x")
        assert made.task.name == task
        assert made.data.path == str(labelled_sets[task])
        assert made.encoder == str(labelled_sets["encoder"])
        assert (made.train.epochs, made.data.image_size) == (1, 64)

    def test_the_network_is_of_stock_layers(self, task, fine_tuned):
        _, folder = fine_tuned[task]
        network = keras.models.load_model(folder / "model.keras", safe_mode=True)
        assert network.input_shape == (None, 64, 64, 3)
        assert network.inputs[0].dtype == "uint8"
        assert not any(isinstance(layer, keras.Model) for layer in network.layers)
        summary = json.loads((folder / "summary.json").read_text())
        assert network.count_params() == summary["parameters"]

    def test_files_are_proven(self, task, fine_tuned):
        _, folder = fine_tuned[task]
        proof = json.loads((folder / "export" / "verify.json").read_text())
        summary = json.loads((folder / "summary.json").read_text())
        assert proof["keras"]["score"] == summary["test"]["score"]
        assert proof["task"]["task"] == task
        assert proof["gate"] == {"max_drop": 100.0, "rejected": {}}
        for name, record in proof["files"].items():
            drop = record["drops"][SCORES[task]]
            lost = proof["keras"]["score"] - record["score"]["score"]
            assert drop["drop"] == pytest.approx(100 * lost)
            assert record["bytes"] == (folder / "export" / name).stat().st_size

    def test_metrics_and_page(self, task, fine_tuned):
        _, folder = fine_tuned[task]
        (row,) = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
        assert 0 <= row[f"val_{SCORES[task]}"] <= 1
        assert np.isfinite(row["loss"])
        page = (folder / "report.html").read_text()
        assert page.count("<img") + page.count("data:image") > 0
        for name in SHAPES:
            assert name in page
        assert f"{NAMES[task]}-dynamic.tflite" in page

    def test_the_example_runs_from_any_folder(
        self, task, fine_tuned, tmp_path, monkeypatch, capsys
    ):
        drawn(0)[0].save(tmp_path / "photograph.png")
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["example.py", "photograph.png"])
        said, folder = fine_tuned[task]
        example = folder / "export" / "example.py"
        assert f"next:    python {example} PHOTO.jpg" in said
        runpy.run_path(str(example))
        lines = capsys.readouterr().out.splitlines()
        assert all(line.startswith("photograph.png ") for line in lines)
        if task != "detect":  # which finds nothing yet
            assert "disc" in " ".join(lines)


def small(task, labelled_sets, folder, *more):
    arguments = ["finetune", task, labelled_sets["encoder"], "--data", labelled_sets[task]]
    settings = ["data.image_size=64", "train.epochs=2", "train.images_per_batch=4", *more]
    return [*arguments, "-o", folder, *(part for each in settings for part in ("--set", each))]


@pytest.mark.usefixtures("eagerly")
class TestEndings:
    def test_a_file_that_loses_too_much_is_exit_code_1(self, labelled_sets, tmp_path, monkeypatch):
        from rotkeras.transfer.classify.goal import Classify

        def wrong(self, path, part, size):
            scores = np.zeros((len(part), 2), np.float32)
            scores[np.arange(len(part)), 1 - part.labels] = 1
            return scores, [0.001] * len(part)

        monkeypatch.setattr(Classify, "predict_file", wrong)
        right = lambda self, network, part, size: np.eye(2, dtype=np.float32)[part.labels]  # noqa: E731
        monkeypatch.setattr(Classify, "predict", right)
        more = ["train.epochs=1", "export.profiles=[float32]"]
        result = invoke(*small("classify", labelled_sets, tmp_path / "out", *more))
        assert result.exit_code == 1, result.output
        assert "rejected: float32 loses +100.0 points of accuracy" in result.output
        assert (tmp_path / "out" / "summary.json").is_file()

    def test_without_files_and_with_two_epochs_there_is_a_curve(self, labelled_sets, tmp_path):
        out = tmp_path / "out"
        result = invoke(*small("classify", labelled_sets, out, "export=null"))
        assert result.exit_code == 0, result.output
        assert not (out / "export").exists()
        assert "<svg" in (out / "report.html").read_text()
        assert "files:" not in result.output
        assert len((out / "metrics.jsonl").read_text().splitlines()) == 2


def test_what_is_there_is_kept_unless_it_is_a_fine_tuning_to_overwrite(
    fine_tuned, labelled_sets, tmp_path
):
    arguments = small("classify", labelled_sets, tmp_path / "out")
    shutil.copytree(fine_tuned["classify"][1], tmp_path / "out")
    output = refused(*arguments)
    assert "exists already. Add --overwrite, or give another folder with -o." in output
    other = tmp_path / "other"
    other.mkdir()
    (other / "letter.txt").write_text("mine")
    for more in ([], ["--overwrite"]):
        output = refused(*small("classify", labelled_sets, other), *more)
        assert "It holds other files: give another folder with -o." in output
    assert (other / "letter.txt").read_text() == "mine"


def test_recipes_of_other_commands_and_tasks_say_what_to_run():
    output = refused("train", "voc07-detect")
    assert "fine-tunes an encoder. Run it: rotkeras finetune detect RUN --recipe voc07-detect" in (
        output
    )
    output = refused("finetune", "classify", "none", "--recipe", "cifar10")
    assert "recipe cifar10 pre-trains an encoder. Run it: rotkeras train cifar10" in output
    output = refused("finetune", "classify", "none", "--recipe", "voc07-detect", "--data", "x")
    assert "The recipe voc07-detect is one to detect, and the task is classify." in output
    assert "Invalid value" in refused("finetune", "caption", "none")


def test_wrong_keys_and_missing_images_are_one_sentence(labelled_sets, tmp_path):
    encoder, out = labelled_sets["encoder"], ["-o", tmp_path / "out"]
    for more, words in (
        (
            ["--set", "train.epoch=1"],
            "--set train.epoch is not a known key; did you mean 'epochs'?",
        ),
        (["--set", "task.chanels=1"], "--set task.chanels is not a key of detect; did you mean"),
        (["--set", "train.epochs=0"], "--set train.epochs must be at least 1, got 0."),
        (["--set", "train.encoder=half"], "--set train.encoder must be"),
        ([], "Give the labelled images with --data PATH."),
        (["--data", tmp_path / "gone"], "gone"),
        (["--data", labelled_sets["segment"]], ""),
        (["--data", labelled_sets["detect"], "--set", "data.image_size=50"], "multiples of 32"),
        (["--data", labelled_sets["detect"], "--set", "data.labels_per_class=2"], "for classify"),
        (
            ["--set", "data.labels_per_class=2", "--set", "data.train_images=3"],
            "must not both be set",
        ),
        (
            ["--set", "train.encoder=frozen_then_full", "--set", "train.epochs=3"],
            "must be below train.epochs, 3, got 5",
        ),
    ):
        output = refused("finetune", "detect", encoder, *out, *more)
        assert words in output, output
        assert "Error: " in output
    output = refused("finetune", "detect", tmp_path / "gone", "--data", labelled_sets["detect"])
    assert "no such run or .keras file" in output
    assert "must be set where the encoder is none" in refused(
        "finetune", "classify", "none", "--data", labelled_sets["classify"]
    )
    assert not (tmp_path / "out").exists()


def test_help_and_mistakes_are_told_without_tensorflow():
    code = """
import sys
from click.testing import CliRunner
from rotkeras.cli import main
for arguments, code in (
    (["finetune", "--help"], 0),
    (["finetune", "classify", "none", "--set", "train.epoch=1"], 2),
    (["finetune", "classify", "none", "--recipe", "cifar10"], 2),
):
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == code, result.output
print(sorted(name for name in ("tensorflow", "keras") if name in sys.modules))"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
