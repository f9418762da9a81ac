import math

import numpy as np
import pytest
from scipy import stats

from rotkeras.compare.verdict import difference, interval, sentences
from rotkeras.evaluate.intervals import share_margin

A = {"0": 0.612, "1": 0.598, "2": 0.607}
B = {"0": 0.571, "1": 0.566, "2": 0.570}


def scipy_margin(values):
    low, high = stats.t.interval(0.95, len(values) - 1, np.mean(values), stats.sem(values))
    return (high - low) / 2


@pytest.mark.parametrize("images", [200, 10_000])
def test_intervals_are_those_of_scipy(images):
    found = interval(A, images)
    mean = float(np.mean(list(A.values())))
    assert found.mean == pytest.approx(mean)
    expected = math.hypot(scipy_margin(list(A.values())), share_margin(mean, images))
    assert found.margin == pytest.approx(expected, rel=1e-3)


def test_differences_are_paired():
    """A constant gain has no noise of seeds, however much they differ: only the images are left."""
    noisy = {str(seed): value for seed, value in enumerate((0.3, 0.5, 0.7))}
    shifted = {seed: value + 0.1 for seed, value in noisy.items()}
    found = difference(shifted, noisy, 10_000)
    assert found.mean == pytest.approx(0.1)
    assert found.margin == pytest.approx(
        math.hypot(share_margin(0.6, 10_000), share_margin(0.5, 10_000)), rel=1e-6
    )
    gains = [A[seed] - B[seed] for seed in A]
    of_images = [share_margin(float(np.mean(list(each.values()))), 10_000) for each in (A, B)]
    expected = math.hypot(scipy_margin(gains), *of_images)
    assert difference(A, B, 10_000).margin == pytest.approx(expected, rel=1e-3)


def test_seeds_that_one_lacks_are_left_out():
    found = difference({"0": 0.5, "2": 0.9}, {"0": 0.4, "1": 0.1}, 1000)
    assert (found.mean, found.seeds) == (pytest.approx(0.1), 1)
    assert not found.significant
    assert difference({"0": 0.5}, {"1": 0.5}, 1000) is None


def said(scores, untrained=None, images=10_000):
    return sentences(
        scores, untrained or {}, images, "the test images", "10 minutes of training", "task"
    )


def test_a_clear_result():
    (only,) = said({"b": B, "a": A})
    assert only.startswith("a is best: 60.6 ± ")
    assert "% by ridge on the test images after 10 minutes of training, ahead of b (+3.7 ±" in only


def test_a_result_that_is_not_clear():
    first, *more = said({"a": A, "b": B}, images=300)
    assert "a has the highest accuracy" in first
    assert "do not distinguish it from b (+3.7 ±" in first
    assert not more


def test_three_of_which_one_is_behind():
    close = {seed: value - 0.002 for seed, value in A.items()}
    (only,) = said({"a": A, "close": close, "b": B})
    assert "do not distinguish it from close (+0.2 ±" in only
    assert "It is ahead of b (+3.7 ±" in only


def test_one_seed_decides_nothing():
    (only,) = said({"a": {"0": 0.9}, "b": {"0": 0.1}})
    assert "the noise of seeds is not known" in only


def test_no_gain_over_the_untrained_network_is_said():
    _, second = said({"a": A, "b": B}, {"a": B, "b": B})
    assert second == (
        "b is not better than an untrained network by more than the interval: train longer."
    )


def test_one_alone_and_none():
    assert "there is no other task to compare with" in said({"a": A})[0]
    assert said({"a": {}}) == ["No run has ended well, so there is nothing to compare."]
