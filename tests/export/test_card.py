import json
import re
import runpy

import numpy as np
from PIL import Image

from rotkeras.device.tflite_file import TFLiteFile


def test_the_card_says_what_was_measured(exported):
    card = (exported / "model_card.md").read_text()
    proof = json.loads((exported / "verify.json").read_text())
    for words in (
        "## Proof",
        "## Intended use",
        "## Limits",
        "not rotation-invariant",
        "A. Author",
        "CC0-1.0",
        "width: 0.0416",
    ):
        assert words in card
    assert "Command: `rotkeras export runs/small`" in card
    for name, each in proof["files"].items():
        row = next(line for line in card.splitlines() if line.startswith(f"| {name}"))
        assert f"{each['milliseconds']:.2f}" in row
    assert "{{" not in card
    assert "{%" not in card
    assert not re.search(r"\n\n\n", card)


def test_tables_of_the_card_are_whole(exported):
    lines = (exported / "model_card.md").read_text().splitlines()
    for number, line in enumerate(lines):
        if line.startswith("|---"):
            width = line.count("|")
            assert lines[number - 1].count("|") == width
            assert lines[number + 1].count("|") == width


def test_the_python_example_runs(exported, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    noise = np.random.default_rng(0)
    for name in ("one.jpg", "other.jpg"):
        Image.fromarray(noise.integers(0, 256, (40, 60, 3), dtype=np.uint8)).save(name)
    (tmp_path / "encoder-int8.tflite").write_bytes((exported / "encoder-int8.tflite").read_bytes())
    monkeypatch.setattr("sys.argv", ["example.py", "one.jpg", "other.jpg"])
    runpy.run_path(str(exported / "example.py"))
    assert re.fullmatch(r"cosine similarity -?\d\.\d{3}\n", capsys.readouterr().out)


def test_the_other_examples_have_the_files_own_numbers(exported):
    tensor = TFLiteFile(exported / "encoder-int8.tflite").outputs("embed")["embedding"]
    for name in ("example.kt", "example.cpp"):
        text = (exported / name).read_text()
        assert "encoder-int8.tflite" in text
        assert "16 * 16 * 3" in text
        assert f"({tensor.shape[-1]})" in text or f"[{tensor.shape[-1]}]" in text
        found = re.search(r"([\d.e-]+)f", text)
        assert np.float32(found[1]) == np.float32(tensor.scale)
        assert f"({tensor.zero_point})" in text
        assert len([line for line in text.splitlines() if line.strip()]) <= 14
