"""The choice of a tap, and what is read of a run that has ended."""

import json

import pytest
from PIL import Image
from sklearn.datasets import load_sample_image
from small_training import LEAN, quick_nin

from rotkeras import backbones, recipe
from rotkeras.compare import worker
from rotkeras.compare.entries import PROBES
from rotkeras.compare.evaluation import has_collapsed, of_chosen_taps
from rotkeras.compare.protocol import chosen_tap
from rotkeras.compare.results import rows_of
from rotkeras.run.folder import Run

ORDER = ["stem", "middle", "head"]


def row(tap, accuracy, probe="ridge", mode="frozen", seed=0, labels="all"):
    return {
        "tap": tap,
        "probe": probe,
        "mode": mode,
        "seed": seed,
        "labels_per_class": labels,
        "validation": {"accuracy": accuracy},
        "test": None,
    }


def test_of_equal_taps_the_first_of_the_network_is_chosen():
    """By the alphabet it would be head, by the rows middle."""
    rows = [row("middle", 0.8), row("head", 0.8), row("stem", 0.8)]
    rows += [row(tap, 0.9, "knn-20") for tap in ORDER]
    assert {each["tap"] for each in of_chosen_taps(rows, ORDER)} == {"stem"}
    assert len(of_chosen_taps(rows, ORDER)) == 2
    assert chosen_tap({"stem": 0.7, "middle": 0.8, "head": 0.8}) == "middle"
    assert chosen_tap({}) is None


def test_each_network_and_seed_has_a_tap_of_its_own():
    rows = [row("stem", 0.5), row("head", 0.6)]
    rows += [row("stem", 0.4, mode="random"), row("head", 0.3, mode="random")]
    rows += [row("stem", 0.9, labels="20"), row("stem", 0.9, probe="linear")]
    chosen = of_chosen_taps(rows, ORDER)
    assert [(each["mode"], each["tap"]) for each in chosen] == [
        ("frozen", "head"),
        ("random", "stem"),
    ]


def test_rows_are_read_in_the_order_of_the_network(tmp_path):
    rows = [row("middle", 0.8), row("head", 0.8), row("stem", 0.8), row("stem", 0.9, mode="random")]
    (tmp_path / "evaluation.json").write_text(json.dumps({"rows": rows}))
    (tmp_path / "compared.json").write_text(json.dumps({"taps": ORDER}))
    assert [each["tap"] for each in rows_of(Run(tmp_path), "frozen")] == ORDER


@pytest.mark.parametrize(
    ("last", "collapsed"),
    [
        ({"spread/std": 0.5, "spread/rank": 9.0, "spread/cosine": 0.1}, False),
        ({"spread/std": 0.004, "spread/rank": 9.0, "spread/cosine": 0.99}, True),
        ({"spread/std": 0.5, "spread/rank": 1.2, "spread/cosine": 0.5}, True),
        ({"spread/std": None, "spread/rank": None, "spread/cosine": None}, True),
        ({"loss": 1.0}, False),
    ],
)
def test_a_collapse_is_that_of_the_last_round(tmp_path, last, collapsed):
    first = {"spread/std": 0.001, "spread/rank": 1.0, "spread/cosine": 1.0}
    lines = [json.dumps(each) for each in (first, last)]
    (tmp_path / "metrics.jsonl").write_text("\n".join(lines) + "\n")
    assert has_collapsed(Run(tmp_path)) is collapsed


def test_a_run_is_evaluated_on_the_labelled_images_of_its_recipe(tmp_path, monkeypatch):
    """Its own are crops of a photograph, which have no labels."""
    photograph = tmp_path / "photograph.png"
    Image.fromarray(load_sample_image("china.jpg")).save(photograph)
    content = {
        **LEAN,
        "data": {"folder": str(photograph), "image_size": 16, "crops": {"count": 100}},
        "augmentation": [],
        "train": {**LEAN["train"], "epochs": 1},
        "probe": {**PROBES, "data": {"embedded": "digits", "train_images": 200}},
    }
    monkeypatch.setitem(backbones.NAMES, "nin", quick_nin)
    monkeypatch.setattr(worker, "prepare", lambda _recipe: None)
    made = recipe.validate(content, "test")
    worker.train(made, tmp_path / "run", untrained=False)
    compared = json.loads((tmp_path / "run/compared.json").read_text())
    assert (compared["no_probes"], compared["source"]) == ("", "digits")
    evaluation = json.loads((tmp_path / "run/evaluation.json").read_text())
    assert evaluation["images"]["source"] == "digits"
    assert any(row["test"] for row in evaluation["rows"])
