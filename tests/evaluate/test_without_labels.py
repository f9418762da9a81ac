import json
import shutil

import keras
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from small_training import SMALL, three_taps

from rotkeras import UserError, data
from rotkeras.backbones import taps
from rotkeras.cli import main
from rotkeras.evaluate import evaluate_without_labels
from rotkeras.evaluate.evaluation import load_network
from rotkeras.quality.measures import MEASURES
from rotkeras.recipe.files import validate
from rotkeras.run.folder import Run
from rotkeras.training.build import load_source
from rotkeras.training.callbacks import LabelFreeQuality


def test_every_tap_is_measured_trained_and_untrained(run, source):
    content = evaluate_without_labels(run, source)
    assert content == json.loads((run.path / "quality.json").read_text())
    network = load_network(run)
    quality = LabelFreeQuality(source.validation)
    assert content["images"]["images"] == len(quality.images) == len(source.validation)
    assert (content["images"]["part"], content["images"]["views"]) == ("validation", 4)
    trained = quality.measure(network)
    untrained = quality.measure(taps.untrained_copy(network, 0))
    assert list(content["taps"]) == ["conv1", "conv2", "conv3"]
    for tap, states in content["taps"].items():
        for state, expected in (("trained", trained), ("untrained", untrained)):
            assert tuple(states[state]) == MEASURES
            assert states[state] == pytest.approx(expected[tap])
    assert content == evaluate_without_labels(run, source)


def test_some_taps_and_other_images(run, source):
    few = data.load(source.train.take(slice(0, 40)), validation_fraction=0.0)
    content = evaluate_without_labels(run, few, taps=["conv2"], name="quality-few")
    assert list(content["taps"]) == ["conv2"]
    assert (content["images"]["part"], content["images"]["images"]) == ("train", 40)
    assert (run.path / "quality-few.json").exists()
    assert not (run.path / "quality.json").exists()


def test_the_recipe_says_how_many_images(ended_run, tmp_path):
    content = {**SMALL, "quality": {"images": 24, "views": 2}}
    run = Run(shutil.copytree(ended_run[0].path, tmp_path / "run"))
    from rotkeras.recipe import dump

    run.recipe.write_text(dump(validate(content, "small")))
    found = evaluate_without_labels(run, ended_run[1])["images"]
    assert (found["images"], found["views"]) == (24, 2)
    # A recipe that measures nothing while it trains is measured by the defaults.
    run.recipe.write_text(dump(validate({**SMALL, "quality": None}, "small")))
    assert evaluate_without_labels(run, ended_run[1])["images"]["views"] == 4


def test_what_cannot_be_measured(run, source, tmp_path):
    with pytest.raises(UserError, match="tap must be one of 'conv1', 'conv2', 'conv3', got 'con"):
        evaluate_without_labels(run, source, taps=["conv7"])
    large = data.load(np.zeros((8, 24, 24, 3), np.uint8), validation_fraction=0.0)
    with pytest.raises(UserError, match=r"cannot be measured on .*another size than the 24×24"):
        evaluate_without_labels(run, large, name="quality-large")
    one = data.load(np.zeros((1, 16, 16, 3), np.uint8), validation_fraction=0.0)
    with pytest.raises(UserError, match="they need two images"):
        evaluate_without_labels(run, one, name="quality-one")
    with pytest.raises(UserError, match="does not exist"):
        evaluate_without_labels(Run(tmp_path / "none"), source)
    assert not list(run.path.glob("quality*"))


@pytest.fixture
def unlabelled(source, tmp_path):
    """A run on digits in files without labels."""
    folder = tmp_path / "digits"
    folder.mkdir()
    for number, pixels in enumerate(source.train.take(slice(0, 60))):
        Image.fromarray(pixels).save(folder / f"{number:02d}.png")
    recipe = validate(
        {**SMALL, "data": {"folder": str(folder), "image_size": 16, "validation_fraction": 0.5}},
        "small",
    )
    run = Run(tmp_path / "runs")
    run.check(recipe)
    run.begin(recipe)
    assert load_source(recipe).train.labels is None
    keras.utils.set_random_seed(0)
    three_taps().save(run.model)
    return run


def test_the_command_measures_a_run_without_labels(unlabelled):
    result = CliRunner().invoke(main, ["evaluate", str(unlabelled.path)])
    assert result.exit_code == 0, result.output
    assert "no probes: the images have no labels" in result.output
    assert "without labels: 30 validation images, 4 views" in result.output
    content = json.loads((unlabelled.path / "quality.json").read_text())
    lidar = content["taps"]["conv2"]["trained"]["lidar"]
    row = next(line for line in result.output.splitlines() if f"{lidar:.2f}" in line)
    assert "trained" in row
    table = result.output.split("without labels: 30")[1].split("written:")[0]
    assert max(map(len, table.splitlines())) <= 80
    assert not (unlabelled.path / "evaluation.json").exists()
    assert "quality.json" in result.output


def test_who_asks_for_probes_is_told_that_labels_are_missing(unlabelled):
    for asked in (["--probe", "ridge"], ["--labels-per-class", "5"]):
        result = CliRunner().invoke(main, ["evaluate", str(unlabelled.path), *asked])
        assert result.exit_code == 2
        assert "An evaluation needs labels" in result.output
        assert not (unlabelled.path / "quality.json").exists()
