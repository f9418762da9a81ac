import time

import pytest

from rotkeras.benchmark import yardsticks


@pytest.fixture
def clock(monkeypatch):
    """Calls take what they are told to, in seconds."""
    now = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    return now


@pytest.mark.parametrize(
    ("seconds", "calls", "best"),
    [(100.0, 10_001, 5.0), (0.0, 3, 5.0), (9.0, 3, 5.0), (15.0, 4, 4.0)],
)
def test_the_best_of_some_calls_and_the_first_does_not_count(clock, seconds, calls, best):
    durations = iter([1.0, 7.0, 5.0, 4.0])
    called = []

    def call():
        called.append(1)
        clock[0] += next(durations, 6.0 if seconds < 100 else 0.0)

    assert yardsticks._best(call, seconds) == (best if seconds < 100 else 0.0)
    assert len(called) == calls


def test_rates_are_operations_and_bytes_over_seconds(monkeypatch):
    called = []

    def best(call, seconds):
        call()
        called.append(seconds)
        return 0.5

    monkeypatch.setattr(yardsticks, "_best", best)
    assert yardsticks.matrix_product(side=8, seconds=3.0) == 2 * 8**3 / 0.5
    assert yardsticks.memory_copy(cores=3, bytes_=1000, seconds=4.0) == 1000 / 0.5
    assert (
        yardsticks.device_matrix_product("mixed_bfloat16", side=8, chained=3, seconds=5.0)
        == 3 * 2 * 8**3 / 0.5
    )
    assert called == [3.0, 4.0, 5.0]
    assert yardsticks.last_cache() >= 2**15
