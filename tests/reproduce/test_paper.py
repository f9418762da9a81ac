import pytest

from rotkeras.reproduce.paper import NIN4, TABLES
from rotkeras.reproduce.plan import build_recipe


def values(name, attribute="paper"):
    return {(entry.row, entry.column): getattr(entry, attribute) for entry in TABLES[name].entries}


def test_table_1_has_every_block_of_three_depths():
    found = values("table1")
    assert len(found) == 3 + 4 + 5
    assert found["RotNet, 4 blocks", "conv2"] == 89.06
    assert found["RotNet, 5 blocks", "conv5"] == 50.37
    reruns = [entry.rerun for entry in TABLES["table1"].entries if entry.network is NIN4]
    assert reruns == [84.65, 88.89, 85.88, 54.04]
    assert {entry.probe for entry in TABLES["table1"].entries} == {"nonlinear"}


def test_table_3_by_what_is_evaluated():
    found = {
        (entry.mode, entry.probe, entry.tap): entry.paper for entry in TABLES["table3"].entries
    }
    assert found == {
        ("scratch", "conv", "conv2"): 92.80,
        ("random", "conv", "conv2"): 72.50,
        ("frozen", "nonlinear", "conv2"): 89.06,
        ("frozen", "conv", "conv2"): 91.16,
        ("fine_tuned", "nonlinear", "conv2"): 91.73,
        ("fine_tuned", "conv", "conv2"): 92.17,
    }


def test_classes_average_to_the_accuracies_of_table_3():
    for column, expected in (("supervised", 92.80), ("RotNet + conv", 91.16)):
        mine = [paper for (_, each), paper in values("table9").items() if each == column]
        assert len(mine) == 10
        assert sum(mine) / 10 == pytest.approx(
            expected, abs=0.3
        )  # the paper's own rounding and runs


def test_figure_5b_is_the_surveys_errors_from_100():
    found = values("figure5b")
    assert found["20", "supervised"] == pytest.approx(100 - 66.34)
    assert found["20", "RotNet + conv"] == pytest.approx(100 - 35.37)
    assert found["all", "RotNet + conv"] == pytest.approx(100 - 8.05)
    assert [entry.labels_per_class for entry in TABLES["figure5b"].entries][::2] == [
        20,
        100,
        400,
        1000,
        None,
    ]


def test_every_network_parses_on_both_recipes():
    from rotkeras.reproduce.scale import Scale

    for table in TABLES.values():
        for entry in table.entries:
            for base, epochs in (("cifar10", 200), ("cifar10-paper", 100)):
                recipe = build_recipe(base, entry.network, Scale(), 7, [], None)
                assert (recipe.train.epochs, recipe.train.seed, recipe.backbone.width) == (
                    epochs,
                    7,
                    1.0,
                )
    curve = build_recipe("cifar10", TABLES["figure5a"].entries[0].network, Scale(), 0, [], None)
    assert curve.probe.probes == ["conv"]
    assert curve.probe.every_epochs == 10
