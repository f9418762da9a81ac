import pytest

from rotkeras.compare.markdown import memory_of, number, shown, status_of, taps_of


def run(status="finished"):
    return {"status": status}


@pytest.mark.parametrize(
    ("runs", "seeds", "words"),
    [
        ([run(), run()], 2, "finished"),
        ([run(), run("collapsed")], 2, "collapsed 1 of 2"),
        ([run("failed"), run("unfinished")], 2, "failed 1 of 2, unfinished 1 of 2"),
        ([run()], 3, "not started 2 of 3"),
        ([], 1, "not started 1 of 1"),
    ],
)
def test_how_runs_ended(runs, seeds, words):
    assert status_of(runs, seeds) == words


def test_taps_are_counted_where_seeds_differ():
    assert taps_of([{"tap": "conv2"}, {"tap": "conv2"}, {"tap": None}]) == "conv2"
    assert taps_of([{"tap": "conv2"}, {"tap": "conv1"}, {"tap": "conv2"}]) == "1× conv1, 2× conv2"
    assert taps_of([]) == ""


def test_the_memory_of_a_gpu_comes_first():
    both = {"memory": {"process_mib": 900, "gpu_mib": 2048.5}}
    assert memory_of([both]) == "2,048 (GPU)"
    assert memory_of([{"memory": {"process_mib": 900, "gpu_mib": None}}, {"memory": {}}]) == "900"
    assert memory_of([{"memory": {}}]) == ""


def test_numbers():
    assert [number(each) for each in (None, 1234.5, 12.34, 0.0123)] == [
        "",
        "1,234",
        "12.3",
        "0.012",
    ]
    assert shown({"mean": 0.5834, "margin": 0.0121, "seeds": 3}) == "58.3 ± 1.2"
    assert shown({"mean": -0.0004, "margin": 0.01, "seeds": 3}, sign=True) == "+0.0 ± 1.0"
    assert shown(None) == ""
