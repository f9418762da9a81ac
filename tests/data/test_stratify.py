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
        ((2, 8), 0.8, (1, 7)),
    ],
)
def test_every_class_is_on_both_sides(sizes, fraction, expected):
    labels = np.repeat(np.arange(len(sizes)), sizes)
    _, validation = split(images(labels), fraction)
    assert tuple(np.bincount(validation.labels, minlength=len(sizes))) == expected


@pytest.mark.parametrize("both_sides", [True, False])
def test_each_class_has_an_image_wherever_that_is_possible(both_sides):
    """Of a hundred draws from classes of random sizes."""
    random = np.random.default_rng(0)
    possible = 0
    for seed in range(100):
        sizes = random.integers(1, 9, random.integers(2, 7))
        labels = random.permutation(np.repeat(np.arange(len(sizes)), sizes))
        count = int(random.integers(1, len(labels)))
        drawn = np.bincount(labels[stratified(labels, count, seed, both_sides)])
        drawn = np.pad(drawn, (0, len(sizes) - len(drawn)))
        most = sizes - 1 if both_sides else sizes
        least = np.minimum(1, most)
        assert drawn.sum() == count
        assert (drawn <= sizes).all()
        if least.sum() <= count <= most.sum():
            possible += 1
            assert (drawn >= least).all()
            assert (drawn <= most).all()
    assert possible > 50


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


@pytest.mark.parametrize("how", ["stratified", "random"])
def test_classes_without_training_images_are_named(how):
    """Two images of thirteen classes are drawn to train on."""
    labels = np.repeat(np.arange(13), 4)
    source = load(
        (np.zeros((52, 8, 8, 3), np.uint8), labels),
        validation_fraction=0.5,
        train_images=2,
        split=how,
    )
    left = np.setdiff1d(source.validation.labels, source.train.labels)
    count = int(np.isin(source.validation.labels, left).sum())
    (note,) = [note for note in source.notes if "no training image" in note]
    assert note == (
        f"class '{left[0]}' and {len(left) - 1} more have no training image: their {count}"
        " validation images are left out of the probes"
    )


def test_train_images_keep_the_proportions():
    labels = np.repeat([0, 1], [180, 20])
    source = load(
        (np.zeros((200, 8, 8, 3), np.uint8), labels), validation_fraction=0, train_images=40
    )
    assert np.bincount(source.train.labels).tolist() == [36, 4]


def test_a_draw_keeps_small_classes():
    labels = np.repeat([0, 1, 2], [180, 3, 3])
    source = load(
        (np.zeros((186, 8, 8, 3), np.uint8), labels), validation_fraction=0, train_images=30
    )
    assert np.bincount(source.train.labels).tolist() == [28, 1, 1]
