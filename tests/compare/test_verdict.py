import math

import numpy as np
import pytest
from scipy import optimize, stats

from rotkeras.compare.verdict import behind_first, difference, interval, sentences
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
        math.hypot(share_margin(0.6, 10_000), share_margin(0.5, 10_000)), rel=1e-4
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
    if untrained is None:
        untrained = {name: dict.fromkeys(each, 0.01) for name, each in scores.items()}
    return sentences(scores, untrained, images, "the test images", "10 minutes of training", "task")


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
    assert "b (+80.0 ± 0.8 points) with one seed in common: the noise of seeds is not" in only
    assert "so this does not decide" in only


def test_a_mean_of_easy_seeds_does_not_win():
    """b is ahead on both seeds that both have; its own mean is lower for two hard seeds."""
    a = {"0": 0.5, "1": 0.5}
    b = {"0": 0.6, "1": 0.6, "2": 0.2, "3": 0.2}
    first, second = said({"a": a, "b": b})
    assert first.startswith("b is best: 60.0 ± ")
    assert "on the seeds 0 and 1 that all have, ahead of a (+10.0 ±" in first
    assert (
        second == "a has no result of seeds 2 and 3: differences are of the seeds that both have."
    )


def test_whoever_is_ahead_is_never_called_behind():
    """The difference counts with its sign: being 10 points below is no lead."""
    ahead = {seed: value + 0.1 for seed, value in A.items()}
    assert behind_first(A, {"ahead": ahead, "behind": B}, 10_000) == ["behind"]


def test_seeds_in_common_are_counted_pair_by_pair():
    """a and b have three seeds in common, a and c one, a and d none."""
    c, d = {"2": 0.3}, {"7": 0.1}
    first, second = said({"a": A, "b": B, "c": c, "d": d})
    assert "It is ahead of b (+3.7 ±" in first
    assert "It is ahead of c (+30.7 ± " in first
    assert "points) with one seed in common: the noise of seeds is not known" in first
    assert "It has no seed in common with d, so this does not decide." in first
    assert "the seeds and images do not distinguish" not in first
    assert "c has no result of seeds 0, 1 and 7" in second
    (apart, _) = said({"a": {"0": 0.5}, "b": {"1": 0.6}})
    assert "b has the highest accuracy, 60.0 ±" in apart
    assert "It has no seed in common with a, so this does not decide." in apart


def least_level(first, other, images):
    """By scipy: the level at which half of the interval is the mean difference."""
    gains = [first[seed] - other[seed] for seed in first]
    shares = [float(np.mean(list(each.values()))) for each in (first, other)]

    def lead(level):
        seeds = stats.t.ppf(1 - level / 2, len(gains) - 1) * stats.sem(gains)
        margins = []
        for share in shares:
            found = stats.binomtest(round(share * images), images)
            ends = found.proportion_ci(1 - level, method="wilson")
            margins.append((ends.high - ends.low) / 2)
        return np.mean(gains) - math.hypot(seeds, *margins)

    return optimize.brentq(lead, 1e-9, 1 - 1e-9)


def test_the_best_of_many_is_corrected_by_holm():
    """Three comparisons, the same as step by step by hand with scipy's levels."""
    images, first = 10_000, {"0": 0.60, "1": 0.61, "2": 0.62}
    others = {
        "far": {"0": 0.50, "1": 0.512, "2": 0.519},
        "near": {"0": 0.562, "1": 0.571, "2": 0.583},
        "close": {"0": 0.585, "1": 0.580, "2": 0.591},
    }
    levels = {name: least_level(first, each, images) for name, each in others.items()}
    assert levels["far"] < 0.05 / 3
    assert levels["near"] < 0.05 / 2
    assert levels["close"] > 0.05
    assert behind_first(first, others, images) == ["far", "near"]
    near = {**others, "close": {"0": 0.575, "1": 0.580, "2": 0.580}}
    alone = least_level(first, near["close"], images)
    assert 0.05 / 3 < alone < 0.05
    assert behind_first(first, {"close": near["close"]}, images) == ["close"]
    copies = {str(number): near["close"] for number in range(3)}
    assert behind_first(first, copies, images) == []
    sentence = said({"first": first, **copies})[0]
    assert "do not distinguish it from 0 (" in sentence
    assert "(corrected for 3 comparisons)" in sentence


def test_of_equal_tasks_a_winner_is_rarely_named():
    """Eleven equal tasks, three seeds with a standard deviation of 2 points: without a correction
    44 % of the verdicts call one behind."""
    rng = np.random.default_rng(0)
    wrong = uncorrected = 0
    for _ in range(200):
        drawn = 0.6 + 0.02 * rng.standard_normal((11, 3))
        drawn += np.sqrt(0.24 / 10_000) * rng.standard_normal((11, 3))
        scores = {
            str(at): dict(zip("012", map(float, row), strict=True)) for at, row in enumerate(drawn)
        }
        first = max(scores, key=lambda name: sum(scores[name].values()))
        others = {name: each for name, each in scores.items() if name != first}
        wrong += bool(behind_first(scores[first], others, 10_000))
        found = [difference(scores[first], each, 10_000) for each in others.values()]
        uncorrected += any(each.mean > each.margin for each in found)
    assert uncorrected / 200 > 0.3
    assert wrong / 200 < 0.09


def test_no_gain_over_the_untrained_network_is_said():
    _, second = said({"a": A, "b": B}, {"a": B, "b": B})
    assert second == (
        "b is not better than an untrained network by more than the interval: train longer."
    )


def test_a_gain_that_cannot_be_measured_is_no_gain():
    found = said({"a": A, "b": B}, {"a": {"7": 0.1}})
    assert found[1:] == ["There is no untrained network to compare a and b with."]
    found = said({"a": A, "b": B}, {"a": A})
    assert found[1].startswith("a is not better than an untrained network")
    assert found[2] == "There is no untrained network to compare b with."


def test_one_alone_and_none():
    assert "there is no other task to compare with" in said({"a": A})[0]
    assert said({"a": {}}) == ["No run has finished, so there is nothing to compare."]
