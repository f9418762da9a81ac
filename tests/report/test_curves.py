import pytest

from rotkeras.report.collect import gather
from rotkeras.report.curves import (
    best_probe_curve,
    equivariance_curve,
    monitor_curve,
    over_epochs,
    probe_curves,
)


@pytest.fixture
def gathered(evaluated_run):
    return gather(evaluated_run.path, "run1")


def test_rotation_of_training_and_validation(gathered):
    figure = monitor_curve([gathered], "x")
    assert figure.table.columns == ["epoch", "validation", "training, augmented"]
    expected = [f"{100 * row['val_accuracy']:.1f} %" for row in gathered.metrics]
    assert [line[1].text for line in figure.table.cells] == expected
    assert f"validation, epoch 2: {expected[1]}" in figure.svg


def test_probes_begin_with_the_untrained_network(gathered):
    figures = probe_curves(gathered, "x")
    assert [figure.title.split()[0] for figure in figures] == gathered.recipe.probe.probes
    untrained = gathered.summary["probes"]["untrained"]["conv2"]["ridge"]
    assert f"conv2, untrained: {100 * untrained:.1f} %" in figures[0].svg
    assert [line[0].text for line in figures[0].table.cells] == ["0", "1", "2"]


def test_equivariance_of_the_drawn_taps(gathered):
    figure = equivariance_curve(gathered, "x")
    assert figure.table.columns == ["epoch", "conv1", "conv2", "conv3"]
    assert figure.table.cells[1][1].text == f"{gathered.metrics[1]['equivariance/conv1']:.2f}"


def test_several_runs_share_a_figure(gathered):
    figure = monitor_curve([gathered, gathered], "x")
    assert len(figure.table.columns) == 3
    best = best_probe_curve([gathered], "x")
    highest = max(
        value
        for key, value in gathered.metrics[-1].items()
        if key.startswith("probe/") and key.endswith("/ridge")
    )
    assert best.table.cells[-1][1].text == f"{100 * highest:.1f} %"


def test_a_single_point_is_no_curve():
    assert over_epochs([("a", [(1, 0.5)])], "x", "t", "y") is None
    assert over_epochs([("a", [])], "x", "t", "y") is None
    figure = over_epochs([("a", [(1, 0.5)]), ("b", [(1, 0.25), (3, 0.5)])], "x", "t", "y")
    assert [[cell.text for cell in line] for line in figure.table.cells] == [
        ["1", "50.0 %", "25.0 %"],
        ["3", "", "50.0 %"],
    ]


def test_many_epochs_keep_a_value_at_each():
    figure = over_epochs([("a", [(epoch, epoch / 300) for epoch in range(1, 201)])], "x", "t", "y")
    assert figure.svg.count('class="point"') == 200
