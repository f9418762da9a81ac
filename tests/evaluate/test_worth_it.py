import numpy as np
import pytest

from rotkeras import UserError, data
from rotkeras.evaluate import worth_it


def content(gains, images=1_000_000, part="test"):
    """Rows of an evaluation in which the conv probe gains so much over scratch: {K: one gain for
    each seed}."""
    rows = []
    for count, of_seeds in gains.items():
        for seed, gain in enumerate(of_seeds):
            scratch = 0.4 + 0.1 * seed  # draws differ much more than methods: only pairs can tell
            for mode, probe, value in (
                ("scratch", "conv", scratch),
                ("frozen", "conv", scratch + gain),
                ("frozen", "ridge", 0.3),
            ):
                judged = {"accuracy": value}
                rows.append(
                    {
                        "tap": "conv2", "probe": probe, "mode": mode, "labels_per_class": count, "draw": "seeded", "seed": seed,
                        "budget": "fast" if probe == "conv" else "closed form", "seconds": 60.0,
                        "validation": judged, "test": judged if part == "test" else None,
                    }
                )  # fmt: skip
    old = {
        **rows[0],
        "seed": 99,
        "test": None,
    }  # of an evaluation that was interrupted; it must not matter
    return {"rows": [old, *rows], "images": {"validation": images, "test": images}}


def compare(gains, images=1_000_000, part="test"):
    return worth_it.compare(content(gains, images, part), list(gains), 3, "fast", "conv2", 645.0)


def test_a_gain_that_all_seeds_share_is_told_however_much_the_draws_differ():
    compared = compare({20: (0.10, 0.11, 0.12)})
    each = compared["counts"][20]
    assert each["gain"] == pytest.approx(0.11)
    assert each["gain_margin"] == pytest.approx(
        4.303 * 0.01 / 3**0.5, rel=2e-3
    )  # a million images add next to nothing
    assert each["significant"]
    assert each["methods"]["scratch"]["margin"] > 0.2
    assert (
        compared["verdict"]
        == "Pre-training improved accuracy by 11.0 ± 2.5 points at 20 labels per class;"
        " pre-training took 10:45, once."
    )


@pytest.mark.parametrize(
    ("gains", "words"),
    [
        (
            {5: (0.1, 0.1, 0.11), 100: (-0.1, -0.1, -0.11)},
            "Pre-training improved accuracy by 10.3",
        ),
        ({5: (0.1, 0.1, 0.11), 100: (0.1, -0.1, 0.0)}, "no measurable difference at 100"),
        ({5: (-0.1, -0.1, -0.11)}, "Pre-training reduced accuracy by 10.3"),
        (
            {5: (0.1, -0.1, 0.0)},
            "no measurable difference with 3 seeds: the 95 % interval of the gain is up to ±24.8",
        ),
    ],
)
def test_the_result_in_words(gains, words):
    verdict = compare(gains)["verdict"]
    assert words in verdict
    assert verdict.count(". ") <= 1
    assert verdict.endswith(".")


def test_the_images_that_judge_are_part_of_the_interval_and_one_seed_tells_nothing():
    each = compare({20: (0.02, 0.02, 0.02)}, images=100)["counts"][20]
    assert each["gain_margin"] == pytest.approx(
        (0.0958**2 + 0.0961**2) ** 0.5, rel=0.03
    )  # of shares of half of 100 images
    assert not each["significant"]
    single = worth_it.compare(content({20: (0.2,)}), [20], 1, "fast", "conv2", 645.0)
    assert not single["counts"][20]["significant"]
    assert single["verdict"].startswith("One seed cannot show a difference")


def test_too_few_images_to_judge_on_are_said():
    compared = compare({5: (0.3, 0.3, 0.31)}, images=20)
    assert not compared["counts"][5]["significant"]
    assert "Too few images to compare: accuracy is measured on 20" in compared["verdict"]


def test_validation_judges_when_there_is_no_test_part():
    assert compare({5: (0.1, 0.1, 0.11)}, part="validation")["part"] == "validation"


def test_counts_go_as_far_as_the_smallest_class():
    labels = np.array([0] * 30 + [1] * 130)
    source = data.load((np.zeros((160, 8, 8, 3), np.uint8), labels), validation_fraction=0.1)
    assert worth_it.label_counts(source) == (5, 20)
    assert worth_it.label_counts(source, (3, 7)) == (3, 7)
    with pytest.raises(
        UserError,
        match="labels_per_class must be from 1 to 27, the training images of class '0', got 500;",
    ):
        worth_it.label_counts(source, (500,))
    few = data.load((np.zeros((10, 8, 8, 3), np.uint8), np.arange(10) % 2), validation_fraction=0.2)
    assert worth_it.label_counts(few) == (int(np.bincount(few.train.labels).min()),)
    with pytest.raises(UserError, match="have none; give labelled images with --labelled"):
        worth_it.label_counts(data.load(np.zeros((10, 8, 8, 3), np.uint8)))
