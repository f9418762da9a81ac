import numpy as np
import pytest

from rotkeras import UserError
from rotkeras.data import Images, pipeline
from rotkeras.data.augmentation import pad_crop_flip
from rotkeras.data.labelled import Labelled
from rotkeras.data.pipelines import feature_pipeline


def numbered(count):
    """Images whose pixels say which they are."""
    return np.tile(np.arange(count, dtype=np.uint8)[:, None, None, None], (1, 8, 8, 3))


def epochs(batches, count):
    """The given number of epochs, each as a list of batches."""
    taken = list(batches.dataset.take(count * batches.steps_per_epoch).as_numpy_iterator())
    return [
        taken[at : at + batches.steps_per_epoch]
        for at in range(0, len(taken), batches.steps_per_epoch)
    ]


def test_every_image_keeps_its_class_whatever_part_it_is_in():
    labels = np.array([7, 2, 2, 5] * 5)
    part = Images.of(numbered(20), labels, tuple(map(str, range(8)))).part(np.arange(1, 20, 2))
    batches = pipeline(part, Labelled(part), images_per_batch=5, seed=3)
    for x, y in epochs(batches, 1)[0]:
        assert np.array_equal(np.array([2, 5])[y], labels[x[:, 0, 0, 0]])
    batches = pipeline(part, Labelled(part, np.array([2, 5, 7])), images_per_batch=5)
    assert {int(value) for _, y in epochs(batches, 1)[0] for value in y} == {0, 1}


def test_repeats_give_each_image_so_often_and_other_crops_each_time():
    images = Images.of(
        np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3), dtype=np.uint8),
        np.arange(4),
        tuple("abcd"),
    )
    batches = pipeline(
        images, Labelled(images), images_per_batch=8, augmentation=pad_crop_flip(3), repeats=6
    )
    assert batches.steps_per_epoch == 3
    first, second = epochs(batches, 2)
    y = np.concatenate([y for _, y in first])
    assert np.bincount(y).tolist() == [6, 6, 6, 6]
    x = np.concatenate([x for x, _ in first])
    assert (
        len({x[at].tobytes() for at in np.flatnonzero(y == 2)}) >= 5
    )  # of 98 crops and flips, six draws
    assert not np.array_equal(y, np.concatenate([y for _, y in second]))


def test_features_come_with_their_labels_in_another_order_each_epoch():
    features = {
        "a": np.arange(6, dtype=np.float32)[:, None],
        "b": np.arange(12, dtype=np.float32).reshape(6, 2, 1),
    }
    batches = feature_pipeline(features, np.arange(6) * 10, images_per_batch=4, seed=1, repeats=2)
    assert batches.steps_per_epoch == 3
    orders = []
    for each in epochs(batches, 2):
        for x, y in each:
            assert np.array_equal(x["a"][:, 0] * 10, y)
            assert np.array_equal(x["b"][:, 0, 0] * 5, y)
        orders.append(np.concatenate([y for _, y in each]).tolist())
        assert sorted(orders[-1]) == sorted([*range(0, 60, 10)] * 2)
    assert orders[0] != orders[1]


def test_numpy_makes_the_same_batches():
    images = Images.of(
        np.random.default_rng(0).integers(0, 256, (9, 8, 8, 3), dtype=np.uint8),
        np.arange(9) % 3,
        tuple("abc"),
    )
    features = {"a": np.random.default_rng(1).normal(size=(9, 2, 2)).astype(np.float32)}
    for make in (
        lambda library: pipeline(
            images,
            Labelled(images),
            images_per_batch=4,
            seed=2,
            augmentation=pad_crop_flip(2),
            repeats=3,
            library=library,
        ),
        lambda library: feature_pipeline(
            features, images.labels, images_per_batch=4, seed=2, repeats=3, library=library
        ),
    ):
        theirs, ours = make("tensorflow"), make("numpy")
        assert ours.steps_per_epoch == theirs.steps_per_epoch == 6
        for (x, y), (other_x, other_y) in zip(
            theirs.dataset.take(14).as_numpy_iterator(), ours.dataset, strict=False
        ):
            assert np.array_equal(y, other_y)
            assert y.dtype == other_y.dtype
            pairs = (
                [(x[name], other_x[name]) for name in x] if isinstance(x, dict) else [(x, other_x)]
            )
            for one, other in pairs:
                assert np.array_equal(one, other)
                assert one.dtype == other.dtype


def test_no_labels_is_one_sentence():
    with pytest.raises(UserError, match="need labels"):
        Labelled(Images.of(numbered(3)))


def test_the_first_of_each_class_and_a_seeded_draw():
    labels = np.array([1, 0, 1, 0, 1, 0, 1, 1])
    images = Images.of(numbered(8), labels, ("cat", "dog"))
    assert images.per_class(2).rows.tolist() == [0, 1, 2, 3]
    draws = {tuple(images.per_class(2, seed).rows.tolist()) for seed in range(20)}
    assert len(draws) > 5
    for rows in draws:
        assert sorted(labels[list(rows)].tolist()) == [0, 0, 1, 1]
    assert images.per_class(2, 4).rows.tolist() == images.per_class(2, 4).rows.tolist()
    with pytest.raises(
        UserError,
        match="labels_per_class must be from 1 to 3, the training images of class 'cat', got 4;",
    ):
        images.per_class(4)
    with pytest.raises(
        UserError,
        match="labels_per_class must be from 1 to 3, the training images of class 'cat', got 0;",
    ):
        images.per_class(0)
    with pytest.raises(UserError, match="needs labels"):
        Images.of(numbered(3)).per_class(1)
