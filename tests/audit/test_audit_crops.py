"""The audit of random resized crops, cut from the photographs as training cuts them."""

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_sample_images

from rotkeras import UserError, data
from rotkeras.audit import audit
from rotkeras.audit.collection import open_collection
from rotkeras.audit.crops import crops_of
from rotkeras.audit.shortcuts import shortcut_test
from rotkeras.data.augmentation import random_resized_crop
from rotkeras.data.keyed import Key
from rotkeras.data.taken import photographs

SIZE = 24


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two hundred JPEG photographs, large enough that crops are decoded at a half and a quarter;
    sides are of every remainder by 8, for which libjpeg pads."""
    top, random = tmp_path_factory.mktemp("photographs"), np.random.default_rng(0)
    pictures = [Image.fromarray(each) for each in load_sample_images().images]
    for number in range(200):
        wide, tall = random.integers(180, 400, 2)
        left, upper = random.integers(0, 640 - wide), random.integers(0, 427 - min(tall, 420))
        cut = pictures[number % 2].crop((left, upper, left + wide, upper + min(tall, 420)))
        exif = Image.Exif()
        exif[274] = 1 + number % 8
        cut.save(top / f"{number:03}.jpg", exif=exif, quality=90)
    return top


def test_they_are_the_crops_of_training(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    positions = np.array([3, 50, 120])
    found = crops_of(open_collection(folder, image_size=SIZE), positions, 7)
    source = data.load(folder, image_size=SIZE, storage="encoded", validation_fraction=0)
    key = Key(np.int64(7), np.int64(0), positions)
    expected = photographs(source.train, random_resized_crop())(positions, key)
    np.testing.assert_array_equal(found, expected)


def test_decoding_at_a_part_of_the_size_tells_no_rotation(folder):
    """The grid of blocks and the residue of resampling stay at chance (25 %) or at their control,
    which content explains; the same crops with a trace of padding do not."""
    crops = crops_of(open_collection(folder, image_size=SIZE), np.arange(200), 0)

    def beyond(images):
        """How far each predictor is beyond what it could tell without a shortcut."""
        found = {each.name: each for each in shortcut_test(images)}
        grid, residue = found["grid"], found["residue"]
        return grid.accuracy - grid.margin - 0.25, residue.excess - residue.excess_margin

    assert max(beyond(crops)) < 0.05
    marked = crops.copy()
    marked[:, -1] = marked[:, -2] // 2 + 60  # as if the last row were padding
    found = {each.name: each for each in shortcut_test(marked)}
    assert found["border"].accuracy > 0.8


def test_the_audit_says_what_it_saw_and_refuses_arrays(folder):
    report = audit(folder, image_size=SIZE, images=40, crops=True)
    assert any("saw random resized crops" in note for note in report.notes)
    assert report.pixels.shape == (40, SIZE, SIZE, 3)
    squares = audit(folder, image_size=SIZE, images=40)
    assert (report.pixels != squares.pixels).any()
    with pytest.raises(UserError, match="--crops needs image files, and digits has none"):
        audit("digits", crops=True)


def test_an_audit_takes_squares_alone(folder):
    with pytest.raises(UserError, match="image_size must be a whole number"):
        audit(folder, image_size=(16, 24))
