import csv
import io
import json

import numpy as np
import pytest
from PIL import Image

from rotkeras import UserError, data
from rotkeras.evaluate.options import Unit
from rotkeras.reproduce import plot, tables
from rotkeras.reproduce.paper import NIN4, TABLES, Entry, Table
from rotkeras.reproduce.plan import build_recipe, departures
from rotkeras.reproduce.reproduce import Reproduced, reproduce, suffix, wanted
from rotkeras.reproduce.scale import Scale
from rotkeras.run.folder import Run


class Quiet:
    """Notes what is run, and may stop it."""

    def __init__(self, stop_after=None):
        self.seen, self.lines = [], []
        self.stop_after = stop_after

    def pretraining(self, network, seed, done):
        self.seen.append((network, seed, done))
        return []

    def watch(self, number, units):
        return []

    def tell(self, line):
        self.lines.append(line)

    def tested(self, done, count):
        self.tests = count

    def done(self, unit, rows):
        self.seen.append((unit.probe, unit.mode))
        if unit.mode == self.stop_after:
            raise KeyboardInterrupt


def test_a_table_is_walked_killed_in_the_middle_and_resumed(tmp_path):
    """The real path with a small network on digits: pre-training, frozen and untrained probes,
    test, numbers."""
    entries = (
        Entry("RotNet", "conv1", NIN4, "ridge", tap="conv1", paper=90.0),
        Entry("random", "conv1", NIN4, "ridge", "random", tap="conv1", paper=80.0, tolerance=100.0),
    )
    table = Table("table0", "Table 0", "network", "block", entries)
    source = data.load("digits", image_size=16, train_images=64)
    base = [
        "data.embedded=digits",
        "data.image_size=16",
        "data.train_images=64",
        "backbone.width=0.04",
        "train.epochs=1",
    ]
    overrides = [
        *base,
        "train.schedule={name: constant}",
        "train.images_per_batch=32",
        "attention=null",
        "report=null",
    ]

    def run(shows):
        return reproduce(table, tmp_path, "cifar10", Scale(), [0], overrides, None, source, shows)

    with pytest.raises(KeyboardInterrupt):
        run(Quiet("frozen"))
    second = Quiet()
    numbers, runs = run(second)
    assert second.seen == [("nin4", 0, True), ("ridge", "random")]
    rows = json.loads((runs[0].path / "evaluation.json").read_text())["rows"]
    assert [number.mean for number in numbers] == [100 * row["test"]["accuracy"] for row in rows]
    assert numbers[1].within
    assert runs[0].path == tmp_path / "runs" / "cifar10-nin4-seed0"
    assert run(third := Quiet())[0] == numbers
    assert third.seen == [("nin4", 0, True)]
    other = data.load("digits", image_size=16, train_images=63)
    with pytest.raises(
        UserError, match=r"64 training images then, 63 now .* or name another folder with --out\."
    ):
        reproduce(table, tmp_path, "cifar10", Scale(), [0], overrides, None, other, Quiet())
    assert third.lines == []
    overrides.append("train.label_smoothing=0.1")
    with pytest.raises(
        UserError,
        match=r"has train\.label_smoothing: 0\.0 and the new one 0\.1\.",
    ):
        run(Quiet())


def test_numbers_of_two_libraries_are_kept_apart(monkeypatch):
    assert suffix(Scale()) == ""
    monkeypatch.setattr("rotkeras.training.devices.backend", lambda: "jax")
    assert suffix(Scale()) == "-jax"
    assert suffix(Scale(0.5, 1.0, 0.5)) == "-scale-0.5-1-0.5-jax"


def test_a_table_by_class_wants_the_names_of_its_classes_before_anything_is_trained(tmp_path):
    source = data.load("digits", image_size=16)
    with pytest.raises(
        UserError,
        match=(
            "Table 9: accuracy by class needs images with class names, got digits without airplane, automobile, bird, cat, deer, dog, frog, horse, ship, truck;"
        ),
    ):
        reproduce(TABLES["table9"], tmp_path, "cifar10", Scale(), [0], [], None, source, Quiet())
    assert not list(tmp_path.iterdir())


def test_the_row_of_an_entry_is_found_among_others_of_its_kind():
    from rotkeras.probes.settings import settings_for
    from rotkeras.reproduce.reproduce import _value

    entry = TABLES["figure5b"].entries[1]
    assert (entry.row, entry.mode) == ("20", "frozen")
    unit = Unit(
        "conv",
        "frozen",
        20,
        "first",
        0,
        ("conv2",),
        settings_for("published", "conv", few_labels=True),
    )
    right = {**unit.row("conv2"), "test": {"accuracy": 0.64}, "validation": {"accuracy": 0.1}}
    others = [
        {**right, "draw": "seeded"},
        {**right, "budget": "fast"},
        {**right, "seed": 1},
        {**right, "settings": {}},
    ]
    others = [{**other, "test": {"accuracy": 0.1}} for other in others]
    content = {"rows": [*others, right], "images": {"test": 10000, "validation": 5000}}
    assert _value(entry, content, Scale(), 0) == (64.0, 10000)


def test_overrides_that_make_another_experiment_are_named_and_those_of_the_table_refused():
    free = [
        "train.xla=true",
        "train.placement=host",
        "probe.every_epochs=1",
        "data.arrays=a.npz",
        "data.cache=there",
    ]
    assert departures([*free, "backbone.width=0.5", "train.epochs=3"]) == [
        "backbone.width=0.5",
        "train.epochs=3",
    ]
    with pytest.raises(UserError, match="train.seed is what the table"):
        build_recipe("cifar10", NIN4, Scale(), 0, ["train.seed=3"], None)
    with pytest.raises(UserError, match="train.epochs is what the table"):
        build_recipe("cifar10", NIN4, Scale.of(0.1), 0, ["train.epochs=3"], None)


def test_taps_of_one_probe_are_one_evaluation():
    entries = [entry for entry in TABLES["table1"].entries if entry.network is NIN4]
    (options,) = wanted(entries, Scale(), 2)
    assert (options.taps, options.seeds, options.budget, options.scale) == (
        ("conv1", "conv2", "conv3", "conv4"),
        (2,),
        "published",
        (1.0, 1.0),
    )
    assert len(wanted(TABLES["table3"].entries, Scale(), 0)) == 6
    assert {
        each.labels_per_class for each in wanted(TABLES["figure5b"].entries, Scale(0.1), 0)
    } == {
        (2,),
        (10,),
        (40,),
        (100,),
        (None,),
    }


def numbers_of(name, mean=88.0, seeds=3):
    return [Reproduced(entry, (mean,) * seeds, mean, 0.5) for entry in TABLES[name].entries]


def test_markdown_and_csv_say_ours_the_papers_and_whether_it_is_within():
    entry, *_ = [entry for entry in TABLES["table2"].entries if entry.network is NIN4]
    near, far = Reproduced(entry, (88.5,), 88.5, 0.6), Reproduced(entry, (80.0,), 80.0, 0.6)
    assert (near.difference, near.within, far.within) == (pytest.approx(-0.56), True, False)
    text = tables.as_markdown(TABLES["table2"], [near, far], {"scale": "s"}, conclusive=True)
    assert (
        "| 4 rotations | conv2, non-linear | 88.50 | 0.60 | 1 | 89.06 | -0.56 | 1.0 | yes | 88.89 |"
        in text
    )
    assert "| 80.00 | 0.60 | 1 | 89.06 | -9.06 | 1.0 | no | 88.89 |" in text
    assert "not compared" in tables.as_markdown(
        TABLES["table2"], [far], {"scale": "a walk"}, conclusive=False
    )
    rows = list(csv.DictReader(io.StringIO(tables.as_csv([near, far], conclusive=True))))
    assert [row["within"] for row in rows] == ["yes", "no"]
    assert rows[0]["values of each seed"] == "88.5000"


@pytest.mark.parametrize("name", ["table1", "table9", "figure5a", "figure5b"])
def test_every_kind_of_table_has_a_picture(name, tmp_path):
    curve = [
        {"seed": 0, "epoch": n, "rotation": n / 10, "probe": 0.5 if n % 2 else None}
        for n in range(1, 6)
    ]
    plot.plot(tmp_path / "plot.png", TABLES[name], numbers_of(name), "full scale", curve)
    pixels = np.asarray(Image.open(tmp_path / "plot.png").convert("RGB"))
    assert pixels.shape[0] > 600
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 50
    text = tables.as_markdown(
        TABLES[name], numbers_of(name), {"scale": "full"}, True, curve if name == "figure5a" else ()
    )
    assert text.count("\n|") >= len(TABLES[name].entries) + 2


def test_a_run_of_another_recipe_is_not_taken_for_ours(tmp_path):
    recipe = build_recipe("cifar10", NIN4, Scale(), 0, [], None)
    run = Run(tmp_path / "run")
    run.check(recipe, resume=True)
    run.begin(recipe)
    with pytest.raises(
        UserError,
        match=r"has train\.xla: False and the new one True\. Restore that value, or start a new run with --run-dir or --overwrite\.",
    ):
        run.check(
            build_recipe(
                "cifar10", NIN4, Scale(), 0, ["train.xla=true", "train.deterministic=false"], None
            ),
            resume=True,
        )
