"""The script that compares measures without labels with ridge accuracy, on made-up numbers."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr

PATH = Path(__file__).parents[2] / "benchmarks" / "label_free_quality.py"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("label_free_quality_script", PATH)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    module.SAMPLES = 200  # the command draws as many as it says
    return module


# Ridge accuracy of (tap, epoch) of three runs on one data set and two on another.
RIDGE = {
    ("digits", 0): {"a": [0.3, 0.4, 0.5], "b": [0.5, 0.6, 0.7], "c": [0.4, 0.35, 0.3]},
    ("digits", 1): {"a": [0.2, 0.5, 0.4], "b": [0.6, 0.5, 0.65], "c": [0.1, 0.2, 0.25]},
    ("digits", 2): {"a": [0.5, 0.6, 0.9], "b": [0.4, 0.3, 0.5], "c": [0.7, 0.8, 0.75]},
    ("cats", 3): {"a": [0.1, 0.2, 0.3], "b": [0.2, 0.3, 0.4], "c": [0.3, 0.4, 0.45]},
    ("cats", 4): {"a": [0.3, 0.2, 0.1], "b": [0.4, 0.5, 0.6], "c": [0.5, 0.4, 0.3]},
}


def write(folder, name, ridge, quality):
    """A run whose measures are functions of ridge accuracy."""
    folder.mkdir()
    (folder / "summary.json").write_text(json.dumps({"source": name}))
    rows = []
    for epoch in range(len(next(iter(ridge.values())))):
        row = {"epoch": epoch + 1, "loss": 1.0, "probe/seconds": 2.0}
        for tap, values in ridge.items():
            row[f"probe/{tap}/ridge"] = values[epoch]
            row[f"probe/{tap}/knn-20"] = 0.1
            for measure, value in quality(tap, values[epoch]).items():
                row[f"quality/{tap}/{measure}"] = value
        rows.append(json.dumps(row))
    (folder / "metrics.jsonl").write_text("\n".join(rows) + "\n")
    return folder


def perfect(tap, ridge):
    """All rank as ridge does but LiDAR, which ranks the other way, and RankMe, which knows taps
    alone; α comes near 1 from both sides."""
    return {
        "lidar": 10 - ridge,
        "alignment": -2 * ridge,
        "uniformity": -(ridge**2),
        "alpha_req": 2 - ridge if tap == "a" else ridge,
        "rankme": {"a": 3, "b": 2, "c": 1}[tap],
    }


@pytest.fixture
def folders(tmp_path):
    return [
        write(tmp_path / f"run{number}", name, ridge, perfect)
        for (name, number), ridge in RIDGE.items()
    ]


@pytest.fixture
def points(script, folders):
    return [each for number, path in enumerate(folders) for each in script.read(path, number)]


def test_rank_correlation_is_scipys_with_ties(script):
    rng = np.random.default_rng(0)
    for count in (3, 4, 20):
        one, other = rng.integers(0, 6, (2, count))
        assert script.spearman(one, other) == pytest.approx(spearmanr(one, other).statistic)
    assert script.spearman([1, 2], [1, 2]) is None
    assert script.spearman([1, 1, 1], [1, 2, 3]) is None


def test_a_measure_that_ranks_as_ridge_has_correlation_one(script, points):
    table = script.tables(points).splitlines()
    rows = {line.split(" | ")[0].removeprefix("| "): line for line in table if line[0:1] == "|"}
    one = "1.00 [1.00, 1.00]"
    for name in ("alignment", "uniformity", "alpha_req"):
        cells = next(line for line in table if line.startswith(f"| {name} |")).split(" | ")
        assert cells[1].startswith(f"{one} (15 groups)")
        assert cells[2].startswith(f"{one} (15 groups)")
        assert cells[3].startswith("1.00 ")
        assert cells[3].endswith("(3 groups) |")  # two runs of cats are too few
    cells = next(line for line in table if line.startswith("| lidar |")).split(" | ")
    assert cells[1].startswith("-1.00 [-1.00, -1.00] (15 groups)")
    assert "| measure | over taps | over epochs | over runs |" in table
    assert "5 runs" in table[0]
    assert rows["second tap"].startswith("| second tap |")


def test_groups_are_those_of_the_question(script, points):
    """RankMe is constant over epochs and over runs: no correlation, and no number for it."""
    cells = next(
        line for line in script.tables(points).splitlines() if line.startswith("| rankme |")
    ).split(" | ")
    expected = []
    for ridge in RIDGE.values():
        for epoch in range(3):
            values = [ridge[tap][epoch] for tap in "abc"]
            expected.append(spearmanr([3, 2, 1], values).statistic)
    assert cells[1].startswith(f"{np.mean(expected):.2f} [")
    assert cells[2] == "– (0 groups)"
    assert cells[3] == "– (0 groups) |"


def test_over_runs_compares_last_epochs_of_one_data_set(script, folders, tmp_path):
    """Four runs on digits; RankMe and accuracy of tap b by hand."""
    made = [(0.1, 5.0), (0.2, 7.0), (0.3, 6.0), (0.4, 8.0)]
    points = []
    for number, (ridge, rank) in enumerate(made):
        path = write(
            tmp_path / f"more{number}",
            "digits",
            {"a": [0.9, 0.5], "b": [0.9, ridge]},
            lambda tap, _, rank=rank: {"rankme": rank if tap == "b" else 1.0},
        )
        points += script.read(path, number)
    values, bounds = script.over_runs(points, "rankme")
    assert values == [pytest.approx(spearmanr([1, 2, 3, 4], [5, 7, 6, 8]).statistic)]
    assert bounds[0] <= values[0] <= bounds[1]
    assert bounds == script.over_runs(points, "rankme")[1]


def test_choices_by_hand(script, points):
    found = script.chosen_accuracies(points)
    assert [value for _, value in found["second tap"]] == [0.7, 0.65, 0.5, 0.4, 0.6]
    assert [value for _, value in found["last tap"]] == [0.3, 0.25, 0.75, 0.45, 0.3]
    assert [value for _, value in found["best tap (oracle)"]] == [0.7, 0.65, 0.9, 0.45, 0.6]
    assert found["alignment"] == found["best tap (oracle)"]
    assert [value for _, value in found["rankme"]] == [0.5, 0.4, 0.9, 0.3, 0.1]
    assert [value for _, value in found["lidar"]] == [0.3, 0.25, 0.5, 0.3, 0.1]
    table = script.tables(points)
    assert "| second tap | 57.0 | 0.0 [0.0, 0.0] (5 runs) |" in table
    assert "| best tap (oracle) | 66.0 | 9.0 [" in table


def test_the_interval_is_over_runs(script):
    """Ten epochs of each of two runs: the interval is as wide as the runs differ."""
    values = [(0, 0.0)] * 10 + [(1, 1.0)] * 10
    assert script.by_run(values) == (0.0, 1.0)
    assert script.by_run([(0, 0.5)] * 10) is None
    many = [(run, float(run % 2)) for run in range(400)]
    low, high = script.by_run(many)
    assert (low, high) == pytest.approx((0.451, 0.549), abs=0.02)


def test_measures_that_are_missing(script, tmp_path):
    def some(tap, ridge):
        return {"rankme": ridge} if tap != "c" else {"rankme": ridge, "alpha_req": None}

    path = write(tmp_path / "run", "digits", RIDGE["digits", 0], some)
    points = script.read(path, 0)
    assert len(points) == 9
    table = script.tables(points)
    assert "| alpha_req | – (0 groups) | – (0 groups) | – (0 groups) |" in table
    assert "| alpha_req | – | – (0 runs) |" in table
    assert "| rankme | 1.00 (3 groups) | 1.00 (3 groups) | – (0 groups) |" in table


def test_the_command(folders, tmp_path):
    def run(*arguments):
        return subprocess.run(
            [sys.executable, str(PATH), *map(str, arguments)], capture_output=True, text=True
        )

    result = run(*folders)
    assert result.returncode == 0, result.stderr
    assert "| lidar | -1.00" in result.stdout
    assert "Each RUN is a folder" in run().stderr
    assert "is no finished run" in run(tmp_path / "none").stderr
    bare = write(tmp_path / "bare", "digits", RIDGE["digits", 0], lambda *_: {})
    result = run(folders[0], bare)
    assert result.returncode == 1
    assert "quality.every_epochs=1." in result.stderr
