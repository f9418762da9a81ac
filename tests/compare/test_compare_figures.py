"""Curves over rounds that not every run has reached."""

import pytest

from rotkeras.compare.figures import accuracy_curve, monitor_figures


def run(ridges, status="finished", losses=()):
    rounds = [
        {
            "round": at + 1,
            "minutes": 2.0 * (at + 1),
            "views": 1000 * (at + 1),
            "probes": {"ridge": {"conv1": value - 0.1, "conv2": value}},
            "monitor": losses[at] if losses else None,
            "monitor_validation": None,
        }
        for at, value in enumerate(ridges)
    ]
    return {"status": status, "rounds": rounds, "before": {}, "validation": {}}


def content(*runs):
    monitor = {"metric": "loss", "words": "loss", "short": "loss", "percent": False}
    line = {"runs": {str(seed): each for seed, each in enumerate(runs)}, "monitor": monitor}
    return {"entries": {"task": line}, "seeds": len(runs)}


def points(figure):
    """[(words, value)] of the table of a figure, in percent."""
    return [(row[1], pytest.approx(row[2].value, abs=1e-9)) for row in figure.table.rows]


def test_a_curve_goes_on_where_one_run_has_stopped():
    """Means by hand: of both seeds after the first round, and of one after it."""
    made = accuracy_curve(content(run([0.4, 0.5, 0.6]), run([0.5], "unfinished")), "minutes")
    assert points(made) == [
        ("after 2.0 minutes", 0.45),
        ("after 4.0 minutes (1 of 2 seeds)", 0.5),
        ("after 6.0 minutes (1 of 2 seeds)", 0.6),
    ]
    made = accuracy_curve(content(run([0.4, 0.5]), run([0.5], "unfinished")), "views")
    assert points(made) == [("1,000 views", 0.45), ("2,000 views (1 of 2 seeds)", 0.5)]


def test_a_metric_of_the_task_goes_on_too():
    (made,) = monitor_figures(
        content(run([0.4, 0.5], losses=(3.0, 2.0)), run([0.5], "failed", losses=(5.0,)))
    )
    assert points(made) == [("round 1", 4.0), ("round 2 (1 of 2 seeds)", 2.0)]


def test_collapsed_runs_are_left_out_of_the_mean_and_it_is_said():
    made = accuracy_curve(content(run([0.4, 0.5]), run([0.1, 0.1], "collapsed")), "views")
    assert points(made) == [("1,000 views", 0.4), ("2,000 views", 0.5)]
    assert made.description.endswith("Runs that collapsed are left out.")
    made = accuracy_curve(content(run([0.4, 0.5])), "views")
    assert "collapsed" not in made.description
