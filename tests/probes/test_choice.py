import math

import pytest

from rotkeras.probes.choice import choose, wilson_margin

TAPS = {"conv1": 0.60, "conv2": 0.62, "conv3": 0.58}


def test_the_best_tap_is_taken_where_the_images_tell():
    found = choose({"conv1": 0.4, "conv2": 0.5, "conv3": 0.9}, 1000, "conv2")
    assert (found.tap, found.rivals, found.arbitrary) == ("conv3", ("conv3",), False)


def test_on_few_images_the_choice_is_arbitrary_and_the_default_is_taken():
    found = choose(TAPS | {"conv3": 0.66}, 18, "conv2")
    assert (found.tap, found.arbitrary) == ("conv2", True)
    assert set(found.rivals) == set(TAPS)
    assert found.accuracy == 0.62


def test_rivals_are_named_where_some_taps_tell():
    found = choose({"conv1": 0.90, "conv2": 0.89, "conv3": 0.5}, 300, "conv2")
    assert (found.tap, found.rivals, found.arbitrary) == ("conv1", ("conv1", "conv2"), False)


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


def test_the_margin_is_wilsons():
    """By hand for 9 of 18: centre (0.5 + z²/36) / (1 + z²/18), half width below."""
    z = 1.96
    expected = z * math.sqrt(0.25 / 18 + z * z / (4 * 18**2)) / (1 + z * z / 18)
    assert wilson_margin(0.5, 18) == pytest.approx(expected)
    assert 0.2 < expected < 0.22
    assert wilson_margin(0.0, 18) > 0.05
