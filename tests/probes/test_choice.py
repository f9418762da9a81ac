import math

import numpy as np
import pytest
from scipy.stats import binomtest

from rotkeras.probes.choice import choose, describe, sign_test, wilson_margin

TAPS = {"conv1": 0.60, "conv2": 0.62, "conv3": 0.58}


def correct(*counts, images):
    """{tap: which images are correct}, each tap correct on the first so many images."""
    return {f"conv{at}": np.arange(images) < count for at, count in enumerate(counts, 1)}


def means(of):
    return {tap: float(each.mean()) for tap, each in of.items()}


def test_the_best_tap_is_taken_where_the_images_decide():
    found = choose({"conv1": 0.4, "conv2": 0.5, "conv3": 0.9}, 1000, "conv2")
    assert (found.tap, found.rivals, found.arbitrary) == ("conv3", ("conv3",), False)
    assert describe(found.tap, found.record()) == ""


def test_on_few_images_the_choice_is_arbitrary_and_the_default_is_taken():
    found = choose(TAPS | {"conv3": 0.66}, 18, "conv2")
    assert (found.tap, found.arbitrary, found.by) == ("conv2", True, "default")
    assert found.rivals == ("conv1", "conv2", "conv3")
    assert found.accuracy == 0.62
    assert describe("conv2", found.record()) == (
        "The choice of tap conv2 is arbitrary: on 18 validation images its accuracy does not"
        " differ significantly from that of conv1 and conv3. It is taken because it is the"
        " default, the second tap. Use more"
        " validation images to decide."
    )


def test_the_default_is_taken_among_some_rivals_and_else_the_best():
    found = choose({"conv1": 0.90, "conv2": 0.89, "conv3": 0.5}, 300, "conv2")
    assert (found.tap, found.rivals) == ("conv2", ("conv1", "conv2"))
    found = choose({"conv1": 0.90, "conv2": 0.5, "conv3": 0.89}, 300, "conv2")
    assert (found.tap, found.rivals, found.by) == ("conv1", ("conv1", "conv3"), "accuracy")
    assert "It is taken because its accuracy is the highest" in describe("conv1", found.record())


@pytest.mark.parametrize(
    ("accuracies", "tap"),
    [
        ({"conv1": 0.0, "conv2": 0.0}, "conv2"),
        ({"conv1": 0.5, "conv2": 0.4, "conv3": 0.5}, "conv1"),
        ({"conv1": 0.5, "conv2": 0.5, "conv3": 0.1}, "conv2"),
        ({"only": 0.3}, "only"),
    ],
)
def test_a_tie_goes_to_the_default_if_it_is_among_the_best(accuracies, tap):
    assert choose(accuracies, None, "conv2").tap == tap


def test_taps_are_compared_on_the_same_images():
    """90 % and 92.7 % of 300 images: within the interval, yet all eight images that differ are for
    one tap (p = 2/2⁸, below 5 %)."""
    of = correct(270, 278, images=300)
    assert choose(means(of), 300, "conv1").arbitrary
    assert choose(means(of), 300, "conv1", of).rivals == ("conv2",)
    of = correct(270, 274, images=300)  # four images: p = 2/2⁴
    found = choose(means(of), 300, "conv1", of)
    assert (found.tap, found.rivals, found.images) == ("conv1", ("conv1", "conv2"), 300)


def test_equal_taps_are_called_arbitrary():
    """Four taps that are correct with the same probability: at most 5 % of the draws find a
    difference, whichever tap has the highest accuracy."""
    random = np.random.default_rng(0)
    wrong = 0
    for _ in range(300):
        of = {f"conv{at}": random.random(100) < 0.6 for at in range(1, 5)}
        wrong += len(choose(means(of), 100, "conv2", of).rivals) < 4
    assert wrong / 300 < 0.05


@pytest.mark.parametrize(("first", "second"), [(0, 0), (0, 9), (5, 1), (40, 60), (7, 7)])
def test_the_sign_test_is_scipys(first, second):
    expected = binomtest(first, first + second).pvalue if first + second else 1.0
    assert sign_test(first, second) == pytest.approx(expected)


def test_the_sign_test_of_many_images_is_near_the_exact_one():
    assert sign_test(560, 640) == pytest.approx(binomtest(560, 1200).pvalue, abs=1e-4)


def test_the_margin_is_wilsons():
    """By hand for 9 of 18: centre (0.5 + z²/36) / (1 + z²/18), half width below."""
    z = 1.96
    expected = z * math.sqrt(0.25 / 18 + z * z / (4 * 18**2)) / (1 + z * z / 18)
    assert wilson_margin(0.5, 18) == pytest.approx(expected)
    assert 0.2 < expected < 0.22
    assert wilson_margin(0.0, 18) > 0.05
