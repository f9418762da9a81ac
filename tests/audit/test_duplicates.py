import numpy as np
import pytest
from damaged import as_jpeg
from PIL import Image

from rotkeras.audit import duplicates
from rotkeras.audit.duplicates import find_duplicates
from rotkeras.audit.fingerprints import digests, thumbnails


def search(images):
    return find_duplicates(digests(images), thumbnails(images))


def pairs(found):
    return list(
        zip(
            found.first.tolist(),
            found.second.tolist(),
            found.turns.tolist(),
            found.exact.tolist(),
            strict=True,
        )
    )


@pytest.fixture(scope="module")
def different():
    """Forty pictures of soft noise, of which no two are alike."""
    small = np.random.default_rng(0).integers(0, 256, (40, 5, 5, 3), dtype=np.uint8)
    return np.stack(
        [
            np.asarray(Image.fromarray(each).resize((32, 32), Image.Resampling.BICUBIC))
            for each in small
        ]
    )


def test_different_pictures_have_no_copies(different):
    found = search(different)
    assert len(found) == 0
    assert found.first.dtype == found.second.dtype == np.int64


def test_the_same_pixels(different):
    images = np.concatenate([different, different[[7, 3, 7]]])
    assert pairs(search(images)) == [(7, 40, 0, True), (3, 41, 0, True), (7, 42, 0, True)]


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_the_same_pixels_turned(different, turns):
    images = np.concatenate([different, np.rot90(different[[5]], turns, (1, 2))])
    found = search(images)
    assert pairs(found) == [(5, 40, turns, True)]
    assert found.images(turned=True).tolist() == [40]
    assert found.images(turned=False).tolist() == []
    np.testing.assert_array_equal(
        np.rot90(images[found.first[0]], found.turns[0]), images[found.second[0]]
    )


def test_nearly_the_same(different):
    images = np.concatenate([different, as_jpeg(different, 60)])
    found = search(images)
    assert set(zip(found.first, found.second, strict=True)) <= {(n, n + 40) for n in range(40)}
    assert len(found) >= 38
    assert not found.exact.any()
    assert not found.turns.any()


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_nearly_the_same_and_turned(different, turns):
    images = np.concatenate([as_jpeg(np.rot90(different, turns, (1, 2)), 75), different])
    found = search(images)
    assert set(zip(found.first, found.second, strict=True)) == {(n, n + 40) for n in range(40)}
    assert found.turns.tolist() == [(4 - turns) % 4] * 40


def test_a_brighter_copy_and_one_of_half_the_size(different):
    brighter = np.clip(different.astype(int) * 1.04 + 5, 0, 255).astype(np.uint8)
    assert len(search(np.concatenate([different, brighter]))) >= 38
    halved = np.stack(
        [np.asarray(Image.fromarray(each).resize((16, 16)).resize((32, 32))) for each in different]
    )
    assert len(search(np.concatenate([different, halved]))) == 40


def test_flat_pictures_are_no_copies_of_each_other():
    flat = np.full((50, 32, 32, 3), 200, np.uint8)
    flat[np.arange(50), 3, 3] = np.arange(50)[:, None]
    assert len(search(flat)) == 0


def test_a_symmetric_picture_is_a_copy_but_not_a_turned_one(different):
    symmetric = sum(np.rot90(different, turns, (1, 2)).astype(float) for turns in range(4)) / 4
    nearly = np.clip(
        128 + 1.5 * (symmetric - 128) + 0.1 * (different.astype(float) - 128), 0, 255
    ).astype(np.uint8)
    found = search(np.concatenate([nearly, as_jpeg(nearly, 95)]))
    assert len(found) >= 30
    assert not found.turns.any()


def test_the_join_gives_every_pair_in_any_portion(monkeypatch):
    random = np.random.default_rng(0)
    asked, there = (
        random.integers(0, 9, 30).astype(np.uint64),
        random.integers(0, 9, 40).astype(np.uint64),
    )
    expected = {(a, b) for a in range(30) for b in range(40) if asked[a] == there[b]}
    for chunk in (1, 7, 10**6):
        monkeypatch.setattr(duplicates, "_CHUNK", chunk)
        got = [
            pair
            for one, other in duplicates._join(asked, there)
            for pair in zip(one.tolist(), other.tolist(), strict=True)
        ]
        assert len(got) == len(expected)
        assert set(got) == expected


def test_large_buckets_are_cut(monkeypatch):
    monkeypatch.setattr(duplicates, "_MOST_IN_BUCKET", 3)
    same = np.zeros(1000, np.uint64)
    assert sum(len(one) for one, _other in duplicates._join(same, same)) == 3000


def test_progress_is_told(different):
    told = []
    find_duplicates(digests(different), thumbnails(different), lambda *each: told.append(each))
    assert told == [(step, 16) for step in range(17)]


def test_many_frames_that_are_nearly_the_same(different):
    noise = np.random.default_rng(1).integers(-1, 2, (300, 32, 32, 3))
    frames = np.clip(different[3].astype(int) + noise, 0, 255).astype(np.uint8)
    found = search(np.concatenate([different, frames]))
    assert len(set(found.second.tolist())) == 300  # every one of them is a copy of an earlier image
    assert not found.turns.any()
