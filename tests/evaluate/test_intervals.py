import numpy as np
import pytest
from scipy import stats

from rotkeras.evaluate.intervals import mean_margin, share_margin, t95


@pytest.mark.parametrize("degrees", [1, 2, 9, 30, 31, 45, 99])
def test_quantiles_are_those_of_scipy(degrees):
    assert t95(degrees) == pytest.approx(stats.t.ppf(0.975, degrees), abs=1e-3)


def test_mean_and_margin_are_those_of_scipy():
    values = [0.5, 0.6, 0.55, 0.7]
    low, high = stats.t.interval(0.95, 3, loc=np.mean(values), scale=stats.sem(values))
    mean, margin = mean_margin(values)
    assert (mean - margin, mean + margin) == pytest.approx((low, high), abs=1e-4)
    assert mean_margin([0.3]) == (0.3, None)


@pytest.mark.parametrize(("right", "count"), [(0, 40), (40, 40), (5000, 10000), (9, 10)])
def test_the_interval_of_a_share_is_wilsons(right, count):
    interval = stats.binomtest(right, count).proportion_ci(0.95, method="wilson")
    assert share_margin(right / count, count) == pytest.approx(
        (interval.high - interval.low) / 2, rel=1e-3
    )
