import ast
import importlib
import io
import json
import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner

import rotkeras
from rotkeras.cli import main
from rotkeras.cli.train_console import probe_table


def call(*arguments):
    return CliRunner().invoke(main, arguments)


def test_help_names_every_command_and_how_to_begin():
    output = call("--help").output
    assert "rotkeras train quickstart" in output
    for name in ("train", "recipes", "schema", "doctor"):
        assert re.search(rf"^  {name} ", output, re.MULTILINE)
    assert call("--version").output.strip() == f"rotkeras, version {rotkeras.__version__}"


def test_a_misspelt_command_names_the_nearest():
    result = call("trian")
    assert result.exit_code == 2
    assert "did you mean 'train'?" in result.output


def test_recipes_are_listed_and_printed():
    output = call("recipes").output
    for name in ("quickstart", "cifar10", "cifar10-paper", "cifar10-cpu", "folder"):
        assert re.search(rf"^{name} ", output, re.MULTILINE)
    assert max(len(line) for line in output.splitlines()) <= 140
    assert (
        call("recipes", "folder").output
        == (Path(rotkeras.__file__).parents[1] / "recipes" / "folder.yaml").read_text()
    )


def test_schema_is_json():
    schema = json.loads(call("schema").output)
    assert schema["properties"]["train"]["$ref"] == "#/$defs/Train"


def test_doctor_finds_everything_here():
    result = call("doctor")
    assert result.exit_code == 0, result.output
    assert "Nothing is missing." in result.output
    assert "Keras backend: tensorflow" in result.output
    assert "CPU:0" in result.output


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["doctor"], "KERAS_BACKEND must be tensorflow or jax, got 'torch'."),
        (
            ["export", "RUN"],
            (
                "KERAS_BACKEND must be tensorflow or unset, because TensorFlow makes what export writes, got 'torch';"
            ),
        ),
    ],
)
def test_another_library_is_refused_in_a_sentence(command, said, trained, monkeypatch):
    _, run = trained
    monkeypatch.setattr("rotkeras.training.devices.backend", lambda: "torch")
    result = call(*[str(run.path) if word == "RUN" else word for word in command])
    assert result.exit_code == 2
    assert said in result.stderr


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("model name : some\nflags\t\t: fpu sse avx512_bf16 x\n", "bfloat16 is in the processor"),
        ("flags\t\t: fpu amx_bf16\n", "bfloat16 is in the processor"),
        ("flags\t\t: fpu sse avx512f\n", "bfloat16 is not in the processor"),
        ("processor : 0\nFeatures : fp asimd\n", None),
    ],
)
def test_doctor_says_whether_bfloat16_is_worth_it(lines, said, monkeypatch):
    from rotkeras.training import devices

    monkeypatch.setattr(devices, "open", lambda path: io.StringIO(lines), raising=False)
    monkeypatch.setattr(
        importlib.import_module("rotkeras.cli.doctor"), "_show_devices", lambda on_jax: 0
    )
    output = call("doctor").output
    assert said in output if said else "bfloat16" not in output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["train", "quickstart", "--set", "train.epoch=3"],
            "train.epoch is not a known key; did you mean 'epochs'?",
        ),
        (
            ["train", "folder", "--set", "data.folder=nowhere"],
            "The image folder 'nowhere' does not exist",
        ),
        (["train", "quickstrat"], "did you mean 'quickstart'?"),
        (["train", "quickstart", "--resume", "--overwrite"], "give one of the two"),
    ],
)
def test_a_mistake_is_one_line_exit_code_2_no_traceback_and_no_tensorflow(
    arguments, words, tmp_path
):
    code = f"""
import sys
from rotkeras.cli import main
try:
    main({arguments!r})
except SystemExit as stop:
    print(stop.code, "tensorflow" in sys.modules)
"""
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=True
    )
    assert result.stdout == "2 False\n"
    assert result.stderr.startswith("Error: ")
    assert len(result.stderr.splitlines()) == 1
    assert words in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_missing_argument_is_exit_code_2():
    result = call("train")
    assert result.exit_code == 2
    assert "Missing argument 'RECIPE'" in result.output


def test_the_data_dir_option_is_the_recipe_key(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    seen = {}
    monkeypatch.setattr(
        "rotkeras.cli.train_console.TrainConsole.run",
        lambda self, recipe, run, interrupted: seen.update(recipe=recipe, run=run),
    )
    result = call("train", "cifar10", "--data-dir", "some where: else", "--set", "train.epochs=1")
    assert result.exit_code == 0, result.output
    assert seen["recipe"].data.data_dir == "some where: else"
    assert seen["recipe"].train.epochs == 1
    assert seen["run"].path == Path("runs/cifar10")


def test_the_table_fits_a_terminal():
    import io

    from rich.console import Console

    probes = {
        "epoch": 200,
        "trained": {f"conv{n}": {"ridge": 0.5 + n / 100, "knn-20": 1.0} for n in range(1, 6)},
        "untrained": {f"conv{n}": {"ridge": 0.6, "knn-20": 0.0} for n in range(1, 6)},
    }
    for terminal in (True, False):
        console = Console(file=io.StringIO(), width=80, force_terminal=terminal, color_system=None)
        console.print(probe_table(probes, plain=not terminal))
        text = console.file.getvalue()
        assert max(len(line.rstrip()) for line in text.splitlines()) <= 80
        row = next(line for line in text.splitlines() if "conv2" in line)
        assert re.findall(r"[-+]?\d+\.\d", row) == [
            "60.0",
            "52.0",
            "-8.0",
            "0.0",
            "100.0",
            "+100.0",
        ]


EMPTY = [
    ("train", "quickstart", "--run-dir", ""),
    ("train", "quickstart", "--run-dir="),
    ("train", "quickstart", "--data-dir", "  "),
    ("train", "quickstart", "--set", ""),
    ("train", "quickstart", "--resume", ""),
    ("train", "quickstart", "--hosts", ""),
    ("train", "quickstart", "--host-id", ""),
    ("train", ""),
    ("evaluate", "runs/x", "--probe", ""),
    ("evaluate", "runs/x", "--probe", ","),
    ("evaluate", "runs/x", "--tap", "conv1,,conv2"),
    ("evaluate", "runs/x", "--labels-per-class", ""),
    ("evaluate", "runs/x", "--labelled="),
    ("worth-it", "runs/x", "--seeds", ""),
    ("compare", ""),
    ("compare", "rotation,,simclr"),
    ("compare", "rotation", "--data", ""),
    ("compare", "rotation", "--backbones", "nin,"),
    ("export", "runs/x", "-o", ""),
    ("export", "runs/x", "--tap", ""),
    ("export", "runs/x", "--profile", ""),
    ("export", "runs/x", "--input-size="),
    ("evaluate", "runs/x", "--set", "data.folder="),
    ("evaluate", "runs/x", "--set", "data.data_dir= "),
    ("worth-it", "runs/x", "--set", "data.arrays="),
    ("export", "runs/x", "--set", "data.cache="),
    ("report", "runs/x", "--set", "data.test_folder="),
    ("embed", "", "photos", "-o", "x.npz"),
    ("embed", "encoder.keras", "", "-o", "x.npz"),
    ("embed", "encoder.keras", "x", "--split", "", "-o", "x.npz"),
    ("neighbours", "encoder.keras", "", "photos"),
    ("neighbours", "encoder.keras", "x", "photos", "--query-split="),
    ("embed", "encoder.keras", "photos", "-o", ""),
    ("neighbours", "encoder.keras", "photos", "photos", "--csv", ""),
    ("attend", "runs/x", "", "-o", "maps"),
    ("audit", "", "-o", "x.html"),
    ("audit", "digits", "--json", ""),
    ("audit", "digits", "--data-dir", ""),
    ("attend", "runs/x", "photos", "-o", "maps", "--tap", ""),
    ("attend", "runs/x", "photos", "-o", "maps", "--target", ""),
    ("attend", "runs/x", "photos", "-o", "maps", "--beside", ""),
    ("orient", "x.tflite", "photos", "--fix", ""),
    ("report", "runs/x", "-o", ""),
    ("benchmark", ""),
    ("benchmark", "x.tflite", "--threads", ""),
    ("benchmark", "x.tflite", "--signature", ""),
    ("benchmark", "train", ""),
    ("reproduce", "table1", "--out", ""),
    ("benchmark", "train", "cifar10", "--peer-python", ""),
    ("reproduce", "table1", "--scale", ""),
    ("recipes", ""),
]


@pytest.mark.parametrize("arguments", EMPTY, ids=" ".join)
def test_an_empty_option_or_argument_is_refused_in_every_command(arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = call(*arguments)
    assert result.exit_code == 2, result.output
    assert "empty" in result.output
    assert not list(tmp_path.iterdir())


def test_an_author_may_be_empty(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "empty" not in call("export", "runs/x", "--author", "").output


def test_an_error_about_an_argument_names_the_option_that_sets_it(tmp_path):
    from PIL import Image

    Image.new("RGB", (9, 9)).save(tmp_path / "a.png")
    where = ["audit", str(tmp_path), "-o", str(tmp_path / "a.html")]
    for option, value, words in (
        ("--image-size", "3", "must be at least 8, got 3."),
        ("--images", "0", "must be at least 1, got 0."),
    ):
        result = call(*where, option, value)
        assert (result.exit_code, result.stderr) == (2, f"Error: {option} {words}\n")


HOME_LIKE = [
    ("train", "~x"),
    ("train", "folder", "--set", "data.folder=~x"),
    ("benchmark", "train", "folder", "--set", "data.folder=~x"),
    ("benchmark", "~x.tflite"),
    ("evaluate", "~x"),
    ("worth-it", "~x"),
    ("export", "~x"),
    ("report", "~x"),
    ("attend", "~x", "photos", "-o", "maps"),
    ("embed", "~x", "photos", "-o", "x.npz"),
    ("neighbours", "~x", "photos", "photos"),
    ("orient", "~x", "photos"),
    ("audit", "~x"),
    ("audit", "digits", "-o", "~x/a.html"),
]


@pytest.mark.parametrize("arguments", HOME_LIKE, ids=" ".join)
def test_a_name_that_begins_with_a_tilde_is_a_name(arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = call(*arguments)
    assert result.exit_code == 2, result.output
    assert "~x" in result.output


OF_BARE_WORDS = [
    ("audit", "NAME", "-o", "a.html"),
    ("attend", "run", "NAME", "-o", "maps"),
    ("embed", "run", "NAME", "-o", "x.npz"),
    ("neighbours", "run", "NAME", "photos"),
    ("neighbours", "run", "photos", "NAME"),
    ("evaluate", "run", "--labelled", "NAME"),
    ("worth-it", "run", "--labelled", "NAME"),
    ("compare", "rotation", "--data", "NAME"),
]


@pytest.mark.parametrize("arguments", OF_BARE_WORDS, ids=" ".join)
@pytest.mark.parametrize(
    ("name", "prefixed"), [("digits", "embedded:digits"), ("cifar10", "tfds:cifar10")]
)
def test_a_folder_called_like_a_set_stops_every_command(
    arguments, name, prefixed, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    for folder in ("run", "photos", name):
        (tmp_path / folder).mkdir()
    (tmp_path / "photos" / "1.png").touch()
    (tmp_path / "run" / "recipe.yaml").write_text("data: {folder: photos}\n")
    (tmp_path / "run" / "model.keras").touch()
    with zipfile.ZipFile(tmp_path / "run" / "encoder.keras", "w") as archive:
        archive.writestr("config.json", "{}")
    result = call(*[name if each == "NAME" else each for each in arguments])
    assert result.exit_code == 2
    assert f"write ./{name} for the folder, or {prefixed} for the set." in result.output
    assert "starting" not in result.output
    help_text = " ".join(call(arguments[0], "--help").output.split())
    for form in ("./NAME", "tfds:NAME", "embedded:digits"):
        assert form in help_text


@pytest.mark.parametrize("folder", ["- x", "My #1 [y]", "it's", "Фото 📷"])
def test_the_command_that_is_printed_next_can_be_pasted(folder, trained, tmp_path, monkeypatch):
    from rich.console import Console

    from rotkeras.cli.train_console import TrainConsole
    from rotkeras.run.folder import Run

    summary, run = trained
    monkeypatch.chdir(tmp_path)
    Path(folder).mkdir()
    shutil.copy(run.recipe, folder)
    console = Console(file=io.StringIO(), width=80, soft_wrap=True, markup=False)
    TrainConsole(console).show(summary, Run(folder))
    text = console.file.getvalue()
    words = shlex.split(re.search(r"next: +(.*)   \(", text)[1])
    assert words[:2] == ["rotkeras", "evaluate"]
    assert not words[2].startswith("-")
    assert Path(words[2]) == Path(folder)
    loaded = re.search(r"load_model\((.*)\)", text)[1]
    assert Path(ast.literal_eval(loaded)) == Path(folder) / "encoder.keras"
