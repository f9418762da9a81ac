"""The table of PASCAL VOC: published numbers, what a scale changes, and rows of one's own."""

import json

import pytest

from rotkeras.errors import UserError
from rotkeras.evaluate.evaluation import weights_digest
from rotkeras.recipe import dump
from rotkeras.reproduce import voc
from rotkeras.transfer.encoder import load_encoder
from rotkeras.transfer.settings import load_recipe


def test_the_published_table():
    """Rows of table 7 of Gidaris et al., ICLR 2018."""
    assert voc.PUBLISHED["rotation"] == (70.87, 72.97, 54.4, 39.1)
    assert voc.PUBLISHED["ImageNet labels"] == (78.9, 79.9, 56.8, 48.0)
    assert voc.PUBLISHED["from scratch"] == (None, 53.3, 43.4, 19.8)
    assert all(len(values) == len(voc.COLUMNS) for values in voc.PUBLISHED.values())


@pytest.mark.parametrize(
    ("scale", "side", "epochs"), [(0.25, 256, 15), (0.01, 96, 1), (0.5, 352, 30)]
)
def test_a_scale_shortens_epochs_and_shrinks_images(scale, side, epochs):
    recipe = load_recipe("voc07-detect", overrides=voc.shrunk("voc07-detect", scale))
    assert (recipe.data.image_size, recipe.train.epochs) == (side, epochs)
    assert recipe.train.schedule.at_epochs == pytest.approx([40 * epochs / 60, 54 * epochs / 60])
    assert voc.shrunk("voc07-detect", 1.0) == []


def test_sets_that_are_given_are_walked_once(tmp_path, monkeypatch):
    asked = []

    def run(recipe, folder, **_more):
        asked.append((recipe.name, recipe.task.name, recipe.train.encoder, recipe.export))
        folder.mkdir(parents=True)
        test = {"score": 0.5, "low": 0.4, "high": 0.6, "images": 10}
        weights = weights_digest(load_encoder("none", recipe.backbone, 96, 0).network)
        summary = {"test": test, "encoder_digest": weights}
        (folder / "summary.json").write_text(json.dumps(summary))
        (folder / "recipe.yaml").write_text(dump(recipe))

    monkeypatch.setattr(voc, "run_fine_tuning", run)
    lines = []
    small = ["backbone.name=nin", "backbone.width=0.0625", "data.image_size=96"]

    def made(*overrides):
        sets = {"classify": "a", "segment": "b"}
        return voc.reproduce_voc("none", sets, tmp_path, 0.1, [*small, *overrides], lines.append)

    for _ in range(2):
        found, path = made()
    assert [row["column"] for row in found] == [voc.COLUMNS[0], voc.COLUMNS[1], voc.COLUMNS[3]]
    assert asked == [
        ("voc07-classify", "classify", "frozen", None),
        ("voc07-classify", "classify", "full", None),
        ("voc12-segment", "segment", "full", None),
    ]
    assert "detection: left out, no set is given" in lines
    text = path.read_text()
    assert "| **none** (here) | 50.0 (40.0 … 60.0) | 50.0 (40.0 … 60.0) | – | 50.0" in text
    assert "Run at scale 0.1: not compared" in text
    with pytest.raises(UserError, match="holds a fine-tuning with other settings"):
        made("train.images_per_batch=4")


def test_a_column_that_cannot_be_made_is_left_out_with_the_reason(tmp_path, monkeypatch):
    def run(*_, **__):
        raise UserError("A detector needs taps at strides 8, 16 and 32.")

    monkeypatch.setattr(voc, "run_fine_tuning", run)
    lines = []
    with pytest.raises(UserError, match="No column of the table could be made with none"):
        voc.reproduce_voc("none", {"detect": "a"}, tmp_path, 0.1, (), lines.append)
    assert lines[-2] == "detection: left out. A detector needs taps at strides 8, 16 and 32."
