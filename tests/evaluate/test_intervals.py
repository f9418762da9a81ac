import numpy as np
import pytest
from scipy import stats

from rotkeras.evaluate.intervals import mean_margin, share_margin, student


@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.995, 0.9999])
@pytest.mark.parametrize("degrees", [1, 2, 3, 4, 9, 30, 31, 45, 99])
def test_quantiles_are_those_of_scipy(degrees, confidence):
    expected = stats.t.ppf((1 + confidence) / 2, degrees)
    assert student(degrees, confidence) == pytest.approx(expected, rel=1e-6)


def test_mean_and_margin_are_those_of_scipy():
    values = [0.5, 0.6, 0.55, 0.7]
    low, high = stats.t.interval(0.95, 3, loc=np.mean(values), scale=stats.sem(values))
    mean, margin = mean_margin(values)
    assert (mean - margin, mean + margin) == pytest.approx((low, high), abs=1e-9)
    low, high = stats.t.interval(0.99, 3, loc=np.mean(values), scale=stats.sem(values))
    assert mean_margin(values, 0.99)[1] == pytest.approx((high - low) / 2)
    assert mean_margin([0.3]) == (0.3, None)


@pytest.mark.parametrize(("right", "count"), [(0, 40), (40, 40), (5000, 10000), (9, 10)])
def test_the_interval_of_a_share_is_wilsons(right, count):
    interval = stats.binomtest(right, count).proportion_ci(0.95, method="wilson")
    assert share_margin(right / count, count) == pytest.approx(
        (interval.high - interval.low) / 2, rel=1e-3
    )
