"""What a fingerprint notices, and what it does not depend on."""

import shutil
import unicodedata

import numpy as np
import pytest
from PIL import Image

from rotkeras.data import Images, fingerprint, load
from rotkeras.data.digests import digests, examples
from rotkeras.data.fingerprint import difference, hashed_positions, names_digest, source_difference
from rotkeras.data.fingerprint import source_fingerprint as recorded
from rotkeras.files import as_text


def draw(path, seed):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (12, 12, 3), np.uint8)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def photos(tmp_path):
    """Two class folders of ten pictures each."""
    for number in range(10):
        draw(tmp_path / f"photos/cat/{number}.png", number)
        draw(tmp_path / f"photos/dog/{number}.png", 100 + number)
    return tmp_path / "photos"


def read(folder, **settings):
    return load(folder, kind="folder", **{"image_size": 8, "validation_fraction": 0.2, **settings})


def relabel(folder):
    (folder / "cat/3.png").rename(folder / "dog/33.png")


CHANGES = {
    "added": (
        lambda folder: draw(folder / "cat/99.png", 99),
        "16 training images then, 17 now",
        "; new: 'cat/99.png'",
    ),
    "removed": (
        lambda folder: (folder / "dog/4.png").unlink(),
        "16 training images then, 15 now",
        "; gone: 1",
    ),
    "replaced": (
        lambda folder: draw(folder / "cat/5.png", 5000),
        "the same number of training images, but other pixels (a file was replaced, or another"
        " decoder read it)",
        "; changed: 'cat/5.png'",
    ),
    "renamed": (
        lambda folder: (folder / "cat/3.png").rename(folder / "cat/33.png"),
        "the same number of training images, but other file names",
        "; new: 'cat/33.png'; gone: 1",
    ),
    "relabelled": (
        relabel,
        "the same number of training images, but other file names",
        "; new: 'dog/33.png'; gone: 1",
    ),
    "two exchanged": (
        lambda folder: [draw(folder / "cat/1.png", 2), draw(folder / "cat/2.png", 1)],
        "the same number of training images, but other pixels (a file was replaced, or another"
        " decoder read it)",
        "; changed: 'cat/1.png' and 1 more",
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_of_a_folder_is_noticed_and_named(photos, tmp_path, change):
    before = read(photos)
    np.savez(tmp_path / "digests.npz", **digests(before))
    apply, words, named = CHANGES[change]
    apply(photos)
    after = read(photos)
    assert source_difference(recorded(before), recorded(after)) == words
    assert examples(tmp_path / "digests.npz", after) == named


def test_a_picture_of_the_validation_part_is_noticed_too(photos):
    before = read(photos)
    names = before.validation.names
    draw(photos / names[before.validation.rows[1]], 7777)
    assert "validation images, but other pixels" in source_difference(
        recorded(before), recorded(read(photos))
    )


def test_it_does_not_depend_on_the_place_the_cache_or_the_times_of_files(photos, tmp_path):
    before = read(photos)
    shutil.copytree(photos, tmp_path / "elsewhere/pictures")  # with other times
    for number in range(10):
        (tmp_path / f"elsewhere/pictures/cat/{number}.png").touch()
    moved = read(tmp_path / "elsewhere/pictures")
    cached = read(photos, cache=tmp_path / "cache")
    assert "cache" in cached.kept
    assert recorded(moved) == recorded(cached) == recorded(before)
    assert examples(tmp_path / "none.npz", moved) == ""


def test_validation_images_in_a_folder_of_their_own_are_compared(photos, tmp_path):
    shutil.copytree(photos, tmp_path / "split/train")
    shutil.copytree(photos, tmp_path / "split/val")
    before = read(tmp_path / "split")
    assert recorded(before)["names"] is None
    assert (recorded(before)["found"], len(before.validation)) == (40, 20)
    np.savez(tmp_path / "digests.npz", **digests(before))
    draw(tmp_path / "split/val/cat/99.png", 99)
    after = read(tmp_path / "split")
    words = "20 validation images then, 21 now"
    assert source_difference(recorded(before), recorded(after)) == words
    assert examples(tmp_path / "digests.npz", after) == "; new: 'cat/99.png'"


def test_settings_that_give_other_images_are_noticed(photos):
    random = recorded(read(photos, split="random"))  # as without labels
    before = recorded(read(photos))
    assert source_difference(before, recorded(read(photos, image_size=10))) == (
        "training images of 8×8 pixels then, of 10×10 now"
    )
    assert source_difference(before, recorded(read(photos, image_size=10)), pixels=False) is None
    assert source_difference(random, recorded(read(photos, labels="none"))) == (
        "training images with 2 classes then, with no labels now"
    )
    assert source_difference(before, recorded(read(photos, validation_fraction=0))) == (
        "4 validation images then, 0 now"
    )


def test_of_a_draw_the_number_of_all_images_is_compared(photos, tmp_path):
    before = read(photos, train_images=5)
    np.savez(tmp_path / "digests.npz", **digests(before))
    draw(photos / "cat/99.png", 99)
    after = read(photos, train_images=5)
    assert source_difference(recorded(before), recorded(after)) == "20 images then, 21 now"
    assert examples(tmp_path / "digests.npz", after, pixels=False) == ""


def test_labels_and_class_names_of_arrays_are_noticed():
    pixels = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 3), np.uint8)

    def of(labels, names=("a", "b")):
        return Images.of(pixels, np.array(labels), names).fingerprint().content

    same = of([0, 1, 0, 1, 0, 1])
    assert difference(same, of([0, 1, 0, 1, 0, 1])) is None
    words = "the same number of images, but other labels or class names"
    assert difference(same, of([0, 1, 0, 1, 1, 0])) == words
    assert difference(same, of([0, 1, 0, 1, 0, 1], ("a", "c"))) == words


def test_another_version_of_pillow_is_named_as_a_possible_cause():
    pixels = np.zeros((10, 8, 8, 3), np.uint8)
    then, now = recorded(load(pixels)), recorded(load(pixels + np.uint8(1)))
    then["pillow"], now["pillow"] = "11.0.0", "12.0.0"
    assert source_difference(then, now) == (
        "the same number of training images, but other pixels (Pillow 11.0.0 decoded them then and"
        " 12.0.0 now, which may be the cause: pip install pillow==11.0.0)"
    )


def test_of_more_pixels_than_are_hashed_an_even_sample_is_and_says_how_many(
    photos, tmp_path, monkeypatch
):
    monkeypatch.setattr(fingerprint, "MOST_BYTES", 5 * 8 * 8 * 3)
    memory, file = read(photos), read(photos, cache=tmp_path / "cache")
    assert memory.train.fingerprint().content["pixels_of"] == 5
    assert hashed_positions(memory.train).tolist() == [0, 3, 7, 11, 15]
    assert recorded(memory) == recorded(file)
    assert len(memory.train.fingerprint().pixels) == 5


def test_names_are_the_same_however_a_file_system_writes_them():
    pixels = np.zeros((2, 8, 8, 3), np.uint8)

    def of(*names):
        return Images.of(pixels, names=names).fingerprint().content["names"]

    assert of("Zoë.png", "a") == of(unicodedata.normalize("NFD", "Zoë.png"), "a")
    names = ("\udcffbad.png", "a\nb")  # of bytes that are not UTF-8, and with a new line
    assert of(*names) == names_digest(map(as_text, names), written=True) == names_digest(names)
    assert of("a", "b") != of("b", "a")
    assert of("ab", "c") != of("a", "bc")
