import numpy as np
import pytest
from sklearn.model_selection import StratifiedShuffleSplit

from rotkeras import recipe
from rotkeras.data import load
from rotkeras.data.source import Images, split
from rotkeras.data.stratify import stratified


def images(labels):
    labels = np.asarray(labels)
    names = tuple(map(str, range(int(labels.max()) + 1)))
    return Images.of(np.zeros((len(labels), 4, 4, 3), np.uint8), labels, names)


@pytest.mark.parametrize("sizes", [(50, 30, 20), (7, 93), (10, 10, 10, 10), (333, 3, 64)])
@pytest.mark.parametrize("fraction", [0.1, 0.2, 0.5])
def test_the_parts_have_the_proportions_of_scikit_learn(sizes, fraction):
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(len(sizes)), sizes))
    train, validation = split(images(labels), fraction)
    count = round(len(labels) * fraction)
    theirs = StratifiedShuffleSplit(1, test_size=count, random_state=0)
    held_out = next(theirs.split(labels, labels))[1]
    ours = np.bincount(validation.labels, minlength=len(sizes))
    assert np.abs(ours - np.bincount(labels[held_out], minlength=len(sizes))).max() <= 1
    assert (len(train), len(validation)) == (len(labels) - count, count)
    assert sorted([*train.rows, *validation.rows]) == list(range(len(labels)))
    np.testing.assert_array_equal(validation.labels, labels[validation.rows])


@pytest.mark.parametrize(
    ("sizes", "fraction", "expected"),
    [
        ((2, 2, 96), 0.1, (1, 1, 8)),
        ((1, 3, 96), 0.1, (0, 1, 9)),
        ((2, 2, 2), 0.5, (1, 1, 1)),
        ((2, 2), 0.9, None),
        ((2, 8), 0.8, (1, 7)),
        ((5, 5, 5, 5, 5), 0.1, None),
    ],
)
def test_every_class_is_on_both_sides_as_far_as_the_fraction_allows(sizes, fraction, expected):
    labels = np.repeat(np.arange(len(sizes)), sizes)
    count = round(len(labels) * fraction)
    if count >= len(labels):
        pytest.skip("no such split")
    drawn = np.bincount(labels[stratified(labels, count, 0, True)], minlength=len(sizes))
    assert drawn.sum() == count
    if expected is not None:
        assert tuple(drawn) == expected


def test_a_split_is_the_same_for_the_same_images_fraction_and_seed():
    labels = np.random.default_rng(1).integers(0, 5, 200)
    first, second, other = (split(images(labels), 0.2, seed)[1] for seed in (3, 3, 4))
    assert first.rows.tolist() == second.rows.tolist() != other.rows.tolist()


def test_random_is_the_split_of_earlier_versions():
    labels = np.repeat([0, 1], 50)
    order = np.random.default_rng(7).permutation(100)
    _, validation = split(images(labels), 0.1, 7, "random")
    assert validation.rows.tolist() == sorted(order[:10])
    unlabelled = Images.of(np.zeros((100, 4, 4, 3), np.uint8))
    assert split(unlabelled, 0.1, 7)[1].rows.tolist() == sorted(order[:10])


def test_a_run_of_an_earlier_version_keeps_its_random_split():
    of_run = recipe.validate({"data": {"embedded": "digits"}}, "x").model_dump(mode="json")
    assert recipe.validate(of_run, "x").data.split == "stratified"
    del of_run["data"]["split"]
    assert recipe.validate(of_run, "x").data.split == "random"
    assert recipe.load("quickstart").data.split == "stratified"


def test_a_class_that_cannot_be_on_both_sides_is_named():
    labels = [0] * 10 + [1] * 9 + [2]
    source = load((np.zeros((20, 8, 8, 3), np.uint8), labels), validation_fraction=0.2)
    assert source.notes == ["class '2' has no validation image, so the probes cannot measure it"]


def test_train_images_keep_the_proportions():
    labels = np.repeat([0, 1], [180, 20])
    source = load(
        (np.zeros((200, 8, 8, 3), np.uint8), labels), validation_fraction=0, train_images=40
    )
    assert np.bincount(source.train.labels).tolist() == [36, 4]
