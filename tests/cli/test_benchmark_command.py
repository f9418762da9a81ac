import pytest
from click.testing import CliRunner

from rotkeras.cli import main


def call(*arguments):
    return CliRunner().invoke(main, ["benchmark", *arguments], prog_name="rotkeras")


def test_help_shows_what_is_done_with_a_file_and_with_a_recipe():
    output = call("--help").output
    assert output.startswith(
        "Usage: rotkeras benchmark [OPTIONS] FILE\n       rotkeras benchmark train [OPTIONS]"
        " RECIPE\n"
    )
    assert "--warm-up-runs" in output
    assert "\nCommands:\n  train " in output
    assert max(map(len, output.splitlines())) <= 80
    assert call("train", "--help").output.startswith(
        "Usage: rotkeras benchmark train [OPTIONS] RECIPE\n"
    )
    assert call("x.tflite", "--help").output.startswith(
        "Usage: rotkeras benchmark [OPTIONS] FILE\n"
    )


@pytest.mark.parametrize(
    "arguments",
    [["encodr.tflite"], ["--json", "encodr.tflite"], ["encodr.tflite", "--threads", "2"]],
)
def test_a_mistyped_file_is_told_as_ever(arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = call(*arguments)
    assert result.exit_code == 2
    assert (
        result.output == "Error: 'encodr.tflite' does not exist. Give the path of a .tflite file.\n"
    )


def test_usage_errors_name_the_command():
    assert call().output.startswith("Usage: rotkeras benchmark [OPTIONS] FILE\n")
    assert "Missing argument 'FILE'" in call().output
    assert "No such option '--thread'" in call("x.tflite", "--thread", "1").output
    assert call().exit_code == call("--runs", "0", "x.tflite").exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["quickstrat"], "did you mean 'quickstart'?"),
        (
            ["quickstart", "--set", "train.epoch=3"],
            "train.epoch is not a known key; did you mean 'epochs'?",
        ),
        (["folder", "--set", "data.folder=nowhere"], "The image folder 'nowhere' does not exist"),
        (["quickstart", "--steps", "0"], "0 is not in the range x>=1"),
    ],
)
def test_mistakes_in_a_recipe_are_told_before_anything_is_measured(arguments, said, monkeypatch):
    monkeypatch.setattr("rotkeras.benchmark.part_process.measure", None)
    result = call("train", *arguments)
    assert result.exit_code == 2
    assert said in result.output


def test_a_mistyped_command_is_not_taken_for_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = call("trian", "cifar10-cpu")
    assert result.exit_code == 2
    assert "There is no file and no command 'trian'; did you mean 'train'?" in result.stderr
    (tmp_path / "trian").write_text("no flatbuffer")
    assert "did you mean" not in call("trian").stderr
