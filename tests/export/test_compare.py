import numpy as np
import pytest
from scipy.stats import binomtest

from rotkeras.export.compare import agreement, compare, exceeds, proves


def test_a_drop_is_counted_by_hand():
    labels = np.array([0, 1, 2, 3, 0, 1, 2, 3])
    keras = np.array([0, 1, 2, 3, 0, 0, 0, 0])  # five right
    file = np.array(
        [0, 1, 0, 0, 0, 1, 0, 1]
    )  # loses two, gains one, changes one wrong answer for another
    drop = compare(keras, file, labels)
    assert (drop.images, drop.lost, drop.gained) == (8, 2, 1)
    assert (drop.keras, drop.file) == (5 / 8, 4 / 8)
    assert drop.points == pytest.approx(12.5)
    assert drop.agreement == 4 / 8
    assert drop.record()["drop"] == drop.points


@pytest.mark.parametrize(("lost", "gained"), [(0, 0), (3, 0), (5, 5), (40, 22), (1, 7), (300, 250)])
def test_chance_is_the_sign_test(lost, gained):
    labels = np.zeros(1000, int)
    keras, file = np.zeros(1000, int), np.zeros(1000, int)
    file[:lost] = 1
    keras[lost : lost + gained] = 1
    expected = (
        binomtest(lost, lost + gained, alternative="greater").pvalue if lost + gained else 1.0
    )
    assert compare(keras, file, labels).chance == pytest.approx(expected)


def test_the_margin_is_that_of_a_paired_difference():
    rng = np.random.default_rng(0)
    labels = np.zeros(400, int)
    keras, file = (rng.random(400) < 0.3).astype(int), (rng.random(400) < 0.35).astype(int)
    drop = compare(keras, file, labels)
    differences = (keras == 0).astype(float) - (file == 0)
    assert drop.margin == pytest.approx(196 * differences.std() / np.sqrt(400))


def drop_of(lost, gained, images):
    labels = np.zeros(images, int)
    keras, file = np.zeros(images, int), np.zeros(images, int)
    file[:lost] = 1
    keras[lost : lost + gained] = 1
    return compare(keras, file, labels).record()


def test_turned_copies_of_an_image_count_as_one():
    labels = np.zeros(40, int)
    keras, file = np.zeros(40, int), np.zeros(40, int)
    file[[3, 13, 23, 33]] = 1  # all four copies of image 3 of ten
    drop = compare(keras, file, labels, images=10)
    assert (drop.points, drop.lost) == (10.0, 4)
    assert drop.chance == 0.5  # one image that changed, not four
    assert compare(keras, file, labels).chance == 0.5**4
    assert drop.record()["images"] == 10
    assert drop.margin == pytest.approx(196 * np.std([1] + [0] * 9) / np.sqrt(10))


def test_few_images_prove_little():
    assert (
        compare(np.zeros(60, int), np.zeros(60, int), np.zeros(60, int)).margin == 5.0
    )  # the rule of three
    assert not proves(drop_of(0, 0, 60), 0.5)
    assert proves(drop_of(0, 0, 1000), 0.5)
    assert not proves(drop_of(10, 10, 1000), 0.5)
    for gained in (0, 1, 2, 5):  # what was gained by chance proves nothing
        assert not proves(drop_of(0, gained, 288), 0.5)


def test_only_a_loss_beyond_chance_exceeds_the_limit():
    assert not exceeds(drop_of(2, 0, 288), 0.5)  # 0.7 points, of two images
    assert exceeds(drop_of(8, 0, 288), 0.5)
    assert not exceeds(drop_of(40, 20, 5000), 0.5)  # 0.4 points for certain
    assert exceeds(drop_of(60, 20, 5000), 0.5)
    assert not exceeds(drop_of(20, 60, 5000), 0.5)  # a gain
    assert exceeds(drop_of(8, 0, 288), 0)


def test_agreement_equals_numpys():
    rng = np.random.default_rng(0)
    a = rng.normal(size=(20, 5)).astype(np.float32)
    b = a + rng.normal(size=(20, 5), scale=0.1).astype(np.float32)
    found = agreement(a, b)
    cosine = [
        float(np.dot(x, y) / np.linalg.norm(x) / np.linalg.norm(y))
        for x, y in zip(a, b, strict=True)
    ]
    assert found["cosine"] == pytest.approx(np.mean(cosine))
    assert found["cosine_min"] == pytest.approx(min(cosine))
    assert found["max_error"] == pytest.approx(np.abs(a - b).max())
    assert found["largest"] == pytest.approx(np.abs(a).max())


def test_vectors_of_zeros_are_like_each_other_and_like_nothing_else():
    zero, one = np.zeros((1, 3), np.float32), np.ones((1, 3), np.float32)
    assert agreement(zero, zero)["cosine"] == 1
    assert agreement(zero, one)["cosine"] == 0
