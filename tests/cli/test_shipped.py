"""Commands that take the network that ships with rotkeras."""

import re

import click
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from sklearn.datasets import load_sample_images

from rotkeras.cli import main
from rotkeras.cli.shipped import SHIPPED_ENCODER, folder, with_network


@pytest.fixture
def photographs(tmp_path):
    place = tmp_path / "photographs"
    place.mkdir()
    for number, picture in enumerate(load_sample_images().images):
        Image.fromarray(picture).save(place / f"{number}.png")
        Image.fromarray(picture[50:, 50:]).save(place / f"{number}-cut.png")
    return place


def run(*arguments):
    result = CliRunner().invoke(main, [str(each) for each in arguments])
    assert result.exit_code == 0, result.output
    return result.output


def test_it_is_there():
    assert (folder() / SHIPPED_ENCODER).is_file()
    assert (folder() / "orient.tflite").is_file()


def test_embed_and_neighbours_take_it_for_photographs_and_say_so(photographs, tmp_path):
    output = run("embed", photographs, "-o", tmp_path / "features.npz")
    assert "network: photographs, trained by rotation on Imagenette" in output
    with np.load(tmp_path / "features.npz") as file:
        assert len(file["features"]) == 4
    named = run("embed", folder() / SHIPPED_ENCODER, photographs, "-o", tmp_path / "again.npz")
    assert "network: photographs" not in named
    with np.load(tmp_path / "features.npz") as one, np.load(tmp_path / "again.npz") as other:
        np.testing.assert_array_equal(one["features"], other["features"])
    output = run("neighbours", photographs / "0.png", photographs, "-k", "1")
    assert "0-cut.png" in output


def test_orient_takes_it_and_puts_photographs_upright(photographs, tmp_path):
    for path in photographs.glob("*.png"):
        Image.open(path).rotate(180).save(path)
    output = run("orient", photographs, "--confidence", "0.3")
    assert "network: photographs" in output
    assert re.search(r"^images +4$", output, re.MULTILINE)


def test_too_few_and_too_many_are_a_sentence(tmp_path):
    with pytest.raises(click.UsageError, match="Give IMAGES, or a network and IMAGES; got 3 arg"):
        with_network(["a", "b", "c"], ["IMAGES"], "x", print)
    result = CliRunner().invoke(main, ["neighbours", "one"])
    assert result.exit_code == 2
    assert "Give QUERY IMAGES, or a network and QUERY IMAGES; got 1 argument." in result.output
    with pytest.raises(click.UsageError, match="This installation has no "):
        with_network(["a"], ["IMAGES"], "missing.tflite", print)
