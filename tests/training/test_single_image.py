"""Training on crops of one photograph, with features that are probed on other images."""

import io
import json

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from rich.console import Console
from sklearn.datasets import load_sample_image
from small_training import SMALL, quick_nin

from rotkeras import backbones, recipe
from rotkeras.cli import main
from rotkeras.cli.train_console import TrainConsole
from rotkeras.errors import UserError
from rotkeras.evaluate.evaluation import evaluate
from rotkeras.evaluate.options import Options
from rotkeras.report.images import sample_of_run
from rotkeras.run.folder import Run
from rotkeras.run.images import load_source
from rotkeras.run.probe_images import load_labelled_images, load_probe_images
from rotkeras.training.trainer import train


@pytest.fixture
def photograph(tmp_path):
    path = tmp_path / "photograph.png"
    Image.fromarray(load_sample_image("china.jpg")).save(path)
    return path


@pytest.fixture
def content(photograph):
    return {
        **SMALL,
        "data": {"folder": str(photograph), "image_size": 16, "crops": {"count": 400}},
        "augmentation": [],
        "train": {**SMALL["train"], "epochs": 2},
        "probe": {
            "every_epochs": 1,
            "train_images": 200,
            "data": {"embedded": "digits", "train_images": 400},
        },
        "attention": None,
        "report": None,
    }


def told(made, run):
    """(what the console printed, the summary) of a training."""
    printed = io.StringIO()
    console = Console(file=printed, width=200, soft_wrap=True, markup=False)
    summary = TrainConsole(console).run(made, run)
    return printed.getvalue(), summary


def test_a_run_on_one_photograph_is_probed_on_digits(tmp_path, content, monkeypatch):
    monkeypatch.setitem(backbones.NAMES, "nin", quick_nin)
    made, run = recipe.validate(content, "test"), Run(tmp_path / "run")
    run.check(made)
    printed, summary = told(made, run)
    assert "photograph: 360 training and 40 validation images, 16×16 pixels, no labels" in printed
    assert "images are 400 crops of 1 photograph, decoded into memory" in printed
    assert "features are probed on digits: 400 training and 144 validation images" in printed
    assert "no probes" not in printed
    assert summary["images"]["train"] == 360
    assert summary["probes"]["source"] == "digits"
    assert set(summary["probes"]["trained"]) == {"conv1", "conv2", "conv3"}
    assert summary["probes"]["trained"]["conv2"]["ridge"] > 0.5  # chance is 0.1
    assert summary["images"]["record"]["probe"]["train"]["classes"] == 10
    # Its evaluation is on the digits, and so are the pictures of its report.
    evaluation = evaluate(run, Options(probes=("ridge",), taps=("conv2",), modes=("frozen",)))
    assert evaluation["images"]["source"] == "digits"
    labelled = load_labelled_images(run)
    assert labelled.name == "digits"
    assert labelled.test is not None
    sample = sample_of_run(run, 16, 5)
    assert (sample.part, len(sample.images)) == ("test", 5)
    assert sample.images.labels is not None
    # A run that is resumed sees the same crops; after a change of the probe's images it is refused.
    again = Run(run.path)
    again.check(made, resume=True)
    assert train(made, again, resume=True)["epochs"] == 2
    state = json.loads(run.summary.read_text())
    state["images"]["record"]["probe"]["train"]["pixels"] = "0" * 16
    run.summary.write_text(json.dumps(state))
    with pytest.raises(UserError, match=r"The images of probe\.data have changed since this run"):
        load_labelled_images(run)


def test_crops_without_labelled_images_are_not_probed(tmp_path, content, monkeypatch):
    monkeypatch.setitem(backbones.NAMES, "nin", quick_nin)
    content = {**content, "probe": {}, "train": {**content["train"], "epochs": 1}}
    made, run = recipe.validate(content, "test"), Run(tmp_path / "run")
    run.check(made)
    printed, summary = told(made, run)
    assert "no probes: the images have no labels; rotation accuracy shows the progress" in printed
    assert f"rotkeras evaluate {run.path} --labelled IMAGES" in printed
    assert summary["probes"]["trained"] is None
    sample = sample_of_run(run, 16, 5)
    assert (sample.part, sample.of) == ("source", 40)
    assert sample.images.names[0].startswith("crop ")


def test_the_size_of_probed_images_is_that_of_training(content):
    made = recipe.validate(content, "test")
    assert load_probe_images(made, 16).image_shape == (16, 16, 3)
    assert load_probe_images(made, 16).train.labels is not None
    wrong = {**content["probe"], "data": {"embedded": "digits", "image_size": 20}}
    with pytest.raises(
        UserError, match=r"probe\.data\.image_size must be .* 16×16, got 20×20; remove it"
    ):
        load_probe_images(recipe.validate({**content, "probe": wrong}, "test"), 16)
    nowhere = {"data": {"folder": "nowhere"}}
    with pytest.raises(UserError, match=r"probe\.data: The image folder 'nowhere' does not exist"):
        load_probe_images(recipe.validate({**content, "probe": nowhere}, "test"), 16)


def test_crops_are_the_same_in_every_load(content):
    first, again = (load_source(recipe.validate(content, "test")) for _ in range(2))
    np.testing.assert_array_equal(first.train.take(slice(None)), again.train.take(slice(None)))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"data": {"embedded": "digits", "crops": {"count": 5}}},
            r"data\.crops needs data\.folder",
        ),
        (
            {"data": {"folder": "a", "crops": {"count": 0}}},
            r"data\.crops\.count must be at least 1",
        ),
        ({"data": {"folder": "a", "crops": {}}}, r"data\.crops\.count"),
        ({"data": {"folder": "a", "crops": {"count": 5, "size": 3}}}, r"data\.crops.*size"),
        (
            {"data": {"folder": "a", "storage": "encoded", "crops": {"count": 5}}},
            r"data\.storage must be auto, memory or file with data\.crops",
        ),
        (
            {"data": {"folder": "a", "labels": "folders", "crops": {"count": 5}}},
            r"data\.labels must be auto or none with data\.crops",
        ),
        (
            {"data": {"folder": "a", "test_folder": "b", "crops": {"count": 5}}},
            r"data\.test_folder is not for data\.crops",
        ),
        (
            {"probe": {"data": {"folder": "a", "crops": {"count": 5}}}},
            r"probe\.data\.crops must be null",
        ),
        (
            {
                "data": {"folder": "a", "crops": {"count": 5}},
                "probe": {"online": True, "data": {"embedded": "digits"}},
            },
            r"probe\.online must be false, got true; .* no labels here \(probe\.data gives none\)",
        ),
        (
            {"data": {"folder": "a", "labels": "none"}, "probe": {"online": True}},
            r"probe\.online must be false, got true",
        ),
        ({"probe": {"data": {}}}, r"probe\.data names no images"),
        (
            {"probe": {"data": {"folder": "a", "labels": "none"}}},
            r"probe\.data\.labels must be auto or folders",
        ),
    ],
)
def test_wrong_recipes_are_sentences(change, words):
    with pytest.raises(UserError, match=words):
        recipe.validate({"data": {"embedded": "digits"}, **change}, "test")


def test_the_command_takes_an_image_file_with_crops_alone(tmp_path, photograph, monkeypatch):
    recipes = []
    monkeypatch.setattr(TrainConsole, "run", lambda _self, made, *_rest: recipes.append(made))

    def call(*more):
        where = ["--run-dir", str(tmp_path / "run")]
        return CliRunner().invoke(main, ["train", "single_image", *where, *more])

    assert call("--set", f"data.folder={photograph}").exit_code == 0
    assert recipes[0].data.folder == str(photograph)
    result = call("--set", f"data.folder={photograph}", "--set", "data.crops=null")
    assert result.exit_code == 2
    assert "is a file. Give the path of a folder of images." in result.output
    result = call("--set", "data.folder=nowhere.jpg")
    assert result.exit_code == 2
    assert "'nowhere.jpg' does not exist" in result.output
    assert len(recipes) == 1


def test_overrides_reach_the_images_of_probes(tmp_path):
    path = tmp_path / "one.yaml"
    path.write_text(
        "data: {folder: one.jpg, image_size: 32, crops: {count: 100}}\n"
        "probe: {data: {tfds: cifar10}}\n"
    )
    made = recipe.load(path, data_dir="sets")
    assert (made.data.data_dir, made.probe.data.data_dir) == ("sets", "sets")
    made = recipe.load(path, ["probe.data.folder=labelled", "data.crops.count=7"])
    assert (made.probe.data.kind, made.probe.data.folder) == ("folder", "labelled")
    assert (made.data.folder, made.data.crops.count) == ("one.jpg", 7)
    assert made.data.crops.scale == [0.002, 1.0]
    assert recipe.load(path, ["probe.data=null"]).probe.data is None
    assert recipe.validate(made.model_dump(), "again") == made
