from dataclasses import replace

import pytest

from rotkeras.quality.measures import MEASURES
from rotkeras.report.collect import gather
from rotkeras.report.quality import NAMES, WORDS, quality_curves, quality_table


@pytest.fixture
def gathered(evaluated_run):
    return gather(evaluated_run.path, "run1")


def test_every_measure_has_a_name_and_words():
    assert tuple(NAMES) == tuple(WORDS) == MEASURES


def test_a_table_of_taps_by_measures(gathered):
    table = quality_table(gathered)
    found = gathered.summary["quality"]
    assert table.columns == ["tap", "RankMe", "α-ReQ", "LiDAR", "uniformity", "alignment"]
    assert [row[0].text for row in table.cells] == ["conv1", "conv2", "conv3"]
    before, after = (found[state]["conv2"]["lidar"] for state in ("untrained", "trained"))
    assert table.cells[1][3].text == f"{before:.2f} → {after:.2f}"
    assert table.cells[1][3].value == after
    assert "after epoch 2" in table.caption
    assert f"on {found['images']} validation images" in table.caption


def test_curves_begin_with_the_untrained_network(gathered):
    figures = quality_curves(gathered, "x")
    assert [figure.title.split()[0] for figure in figures] == list(NAMES.values())
    lidar = figures[2]
    assert lidar.table.columns == ["epoch", "conv1", "conv2", "conv3"]
    untrained = gathered.summary["quality"]["untrained"]["conv3"]["lidar"]
    assert [row[0].text for row in lidar.table.cells] == ["0", "1", "2"]
    assert lidar.table.cells[0][3].text == f"{untrained:.2f}"
    assert lidar.table.cells[2][1].text == f"{gathered.metrics[1]['quality/conv1/lidar']:.2f}"


def test_measures_that_have_no_value(gathered):
    summary = {
        "quality": {
            "epoch": 1,
            "part": "train",
            "images": 40,
            "views": 2,
            "untrained": None,
            "trained": {"a": dict.fromkeys(MEASURES), "b": {**dict.fromkeys(MEASURES), "lidar": 2}},
        }
    }
    table = quality_table(replace(gathered, summary=summary))
    assert [cell.text for cell in table.cells[0]] == ["a", *["–"] * 5]
    assert table.cells[1][3].text == "– → 2.00"


def test_a_run_without_measures_and_one_that_has_not_ended(gathered):
    rows = [{k: v for k, v in row.items() if "quality" not in k} for row in gathered.metrics]
    without = replace(gathered, metrics=rows, summary={**gathered.summary, "quality": None})
    assert quality_table(without) is None
    assert quality_curves(without, "x") == []
    going_on = replace(gathered, summary=None)
    assert quality_table(going_on) is None
    lines = quality_curves(going_on, "x")[0].table.cells
    assert [row[0].text for row in lines] == ["1", "2"]
