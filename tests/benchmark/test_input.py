import json
import os

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from rotkeras import UserError
from rotkeras.benchmark import benchmark_input, input, peer
from rotkeras.cli import main

PYTHON = os.environ.get(peer.VARIABLE)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(input, "_SECONDS", 0.05)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    top = tmp_path / "photos"
    top.mkdir()
    random = np.random.default_rng(0)
    for number in range(6):
        pixels = random.integers(0, 256, (40 + number, 60, 3), np.uint8)
        Image.fromarray(pixels).save(top / f"{number}.jpg")
    return top


def test_it_measures_crops_and_decoding(folder):
    told = []
    found = benchmark_input(folder, 16, repeats=2, tell=told.append)
    assert (found.images, found.sides, found.size, found.peer) == (6, (42, 60), 16, ())
    assert len(found.crops.repeats) == len(found.decoding.repeats) == 2
    assert found.share == found.crops.median / found.decoding.median > 0
    assert found.ratio is None
    assert [line.split(",")[0] for line in told] == ["crops", "decoding alone"]


def test_the_command_prints_a_table_or_json(folder):
    result = CliRunner().invoke(main, ["benchmark", "input", str(folder), "--size", "16"])
    assert result.exit_code == 0, result.output
    assert "6 photographs of 60×42 pixels (median), crops of 16×16;" in result.output
    assert "rotkeras / decoding alone = " in result.output
    result = CliRunner().invoke(main, ["benchmark", "input", str(folder), "--json"])
    assert json.loads(result.stdout[result.stdout.index("{") :])["size"] == 224
    wrong = CliRunner().invoke(main, ["benchmark", "inptu", str(folder)])
    assert "did you mean 'input'?" in wrong.output


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(UserError, match=r"The image folder .* does not exist"):
        benchmark_input(tmp_path / "nowhere")


@pytest.mark.skipif(not PYTHON, reason=f"{peer.VARIABLE} names no Python with torch")
def test_the_peer_runs(folder):
    found = benchmark_input(folder, 16, repeats=1, peer=True)
    assert [each.error for each in found.peer] == [None, None]
    assert found.ratio > 0
