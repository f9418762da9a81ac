"""Labelled images of a classifier: lists of PASCAL VOC, class folders, arrays; and few labels."""

from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from small_transfer import SHAPES, recipe

from rotkeras.errors import UserError
from rotkeras.transfer.classify.read import read_classified
from rotkeras.transfer.parts import NAMED_VALIDATION
from rotkeras.transfer.run import draw_train


def section(path, **more):
    values = {"data_dir": None, "classes": None, "validation_fraction": 0.25, "on_fault": "skip"}
    return SimpleNamespace(path=str(path), **{**values, **more})


def read(path, seed=0, **more):
    return read_classified(section(path, **more), 16, seed)


def image(path, level):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((20, 20, 3), level, np.uint8)).save(path)


def folders(folder, counts):
    """Grey images: counts is {"train/cat": 3}; the level tells which image it is."""
    level = 0
    for place, count in counts.items():
        for number in range(count):
            image(folder / place / f"{number}.png", level)
            level += 1
    return folder


def voc(folder, parts, lists):
    """{"train": ["a", "b"]} and {"cat_train": {"a": 1, "b": -1}}."""
    for part, stems in parts.items():
        file = folder / "ImageSets" / "Main" / f"{part}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join(f"{stem}\n" for stem in stems))
        for stem in stems:
            image(folder / "JPEGImages" / f"{stem}.jpg", ord(stem) - ord("a"))
    (folder / "Annotations").mkdir(exist_ok=True)
    for name, labels in lists.items():
        text = "".join(f"{stem} {label:2}\n" for stem, label in labels.items())
        (folder / "ImageSets" / "Main" / f"{name}.txt").write_text(text)
    return folder


def seen(part):
    """The letters of images whose grey is their place in the alphabet."""
    return ["abcdefgh"[round(each.mean())] for each in part.images.take(slice(None))]


PARTS = {"train": list("abc"), "val": list("de"), "test": list("fg")}
LISTS = {
    "cat_train": {"a": 1, "b": -1, "c": 0},
    "dog_train": {"a": 1, "b": 1, "c": -1},
    "cat_val": {"d": -1, "e": 1},
    "dog_val": {"d": 0, "e": -1},
    "cat_test": {"f": 1, "g": -1},
    "dog_test": {"f": -1, "g": 1},
}


class TestVoc:
    def test_lists_give_several_classes(self, tmp_path):
        found = read(voc(tmp_path / "VOC2007", PARTS, LISTS))
        assert found.class_names == ("cat", "dog")
        assert found.train.several
        for part, stems, labels in (
            (found.train, "abc", [[1, 1], [-1, 1], [0, -1]]),
            (found.validation, "de", [[-1, 0], [1, -1]]),
            (found.test, "fg", [[1, -1], [-1, 1]]),
        ):
            assert seen(part) == list(stems)
            np.testing.assert_array_equal(part.labels, labels)
            assert part.labels.dtype == np.int8

    def test_classes_are_chosen_in_their_order(self, tmp_path):
        found = read(voc(tmp_path / "VOC2007", PARTS, LISTS), classes=["dog", "cat"])
        assert found.class_names == ("dog", "cat")
        np.testing.assert_array_equal(found.train.labels, [[1, 1], [1, -1], [-1, 0]])
        with pytest.raises(UserError, match="data.classes names 'cow', and .* has cat, dog"):
            read(tmp_path / "VOC2007", classes=["cow"])

    def test_without_a_list_of_validation_a_share_of_training_is_it(self, tmp_path):
        parts = {"trainval": list("abcde"), "test": list("fg")}
        lists = {
            "cat_trainval": dict.fromkeys("abcde", 1),
            "cat_test": dict.fromkeys("fg", -1),
        }
        found = read(voc(tmp_path / "VOC2007", parts, lists), validation_fraction=0.4)
        assert (len(found.train), len(found.validation), len(found.test)) == (3, 2, 2)
        assert sorted(seen(found.train) + seen(found.validation)) == list("abcde")
        assert any("2 training images are validation" in note for note in found.notes)

    def test_lines_that_are_wrong_and_images_in_no_list_are_counted_once(self, tmp_path):
        folder = voc(tmp_path / "VOC2007", PARTS, LISTS)
        file = folder / "ImageSets" / "Main" / "cat_train.txt"
        file.write_text("a  1\nb\n\nc 2\n")
        for name in ("cat", "dog"):
            file = folder / "ImageSets" / "Main" / f"{name}_val.txt"
            file.write_text(file.read_text().replace("e", "z"))
        found = read(folder)
        assert seen(found.validation) == ["d"]
        np.testing.assert_array_equal(found.train.labels, [[1, 1], [-1, 1], [-1, -1]])
        assert [each for each in found.notes if "name no image and 1" in each] == [
            "lines name no image and 1, 0 or -1: 2 (cat_train.txt:2, cat_train.txt:4)"
        ]
        assert "images are in no list of a class and are left out: 1 (e)" in found.notes
        with pytest.raises(UserError, match="cat_train.txt:2: lines name no image"):
            read(folder, on_fault="error")

    def test_lists_without_classes_are_a_sentence(self, tmp_path):
        with pytest.raises(UserError, match="has no lists of classes, such as cat_trainval.txt"):
            read(voc(tmp_path / "VOC2007", PARTS, {}))


class TestFolders:
    def test_parts_are_those_of_the_folders(self, tmp_path):
        counts = {"train/a": 3, "train/b": 2, "val/a": 1, "val/b": 1, "test/a": 2, "test/b": 1}
        found = read(folders(tmp_path, counts))
        assert not found.train.several
        assert found.class_names == ("a", "b")
        np.testing.assert_array_equal(found.train.labels, [0, 0, 0, 1, 1])
        np.testing.assert_array_equal(found.test.labels, [0, 0, 1])
        assert len(found.validation) == 2

    def test_one_other_part_is_the_test_and_validation_a_share_of_training(self, tmp_path):
        counts = {"train/a": 8, "train/b": 4, "val/a": 2, "val/b": 2}
        found = read(folders(tmp_path, counts))
        assert (len(found.train), len(found.validation), len(found.test)) == (9, 3, 4)
        assert NAMED_VALIDATION in found.notes
        np.testing.assert_array_equal(np.bincount(found.validation.labels), [2, 1])  # in proportion

    def test_without_parts_validation_and_test_are_drawn(self, tmp_path):
        found = read(folders(tmp_path, {"a": 6, "b": 6}))
        assert (len(found.train), len(found.validation), len(found.test)) == (7, 2, 3)
        assert "3 training images are the test part (data.validation_fraction=0.25)" in found.notes
        whole = np.concatenate(
            [
                part.images.take(slice(None)).mean(axis=(1, 2, 3))
                for part in (found.train, found.validation, found.test)
            ]
        )
        np.testing.assert_array_equal(np.sort(whole), np.arange(12))
        again, other = read(tmp_path), read(tmp_path, seed=1)
        rows = [each.validation.images.take(slice(None)) for each in (found, again, other)]
        np.testing.assert_array_equal(rows[0], rows[1])
        assert not np.array_equal(rows[0], rows[2])

    def test_classes_are_chosen_and_numbered_anew(self, tmp_path):
        counts = {f"{part}/{name}": 2 for part in ("train", "val", "test") for name in "abc"}
        found = read(folders(tmp_path, counts), classes=["c", "a"])
        assert found.class_names == ("c", "a")
        np.testing.assert_array_equal(found.train.labels, [1, 1, 0, 0])
        np.testing.assert_array_equal(
            found.train.images.take(slice(None))[:, 0, 0, 0], [0, 1, 4, 5]
        )
        for wanted, words in (
            (["a", "z"], "names 'z', and the images have a, b, c"),
            (["a"], "two"),
        ):
            with pytest.raises(UserError, match=words):
                read(tmp_path, classes=wanted)

    def test_images_without_labels_and_too_few_are_a_sentence(self, tmp_path):
        image(tmp_path / "loose" / "one.png", 1)
        image(tmp_path / "loose" / "two.png", 2)
        with pytest.raises(UserError, match="A classifier needs labels"):
            read(tmp_path / "loose")
        with pytest.raises(UserError, match="too few to split off validation"):
            read(folders(tmp_path / "few", {"a": 2, "b": 2}), validation_fraction=0.9)


def test_an_array_file_and_its_labels(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (20, 16, 16, 3), np.uint8)
    np.savez(tmp_path / "x.npz", x_train=images, y_train=np.arange(20) % 2)
    found = read(tmp_path / "x.npz")
    assert (len(found.train), len(found.validation), len(found.test)) == (11, 4, 5)
    assert sorted(np.unique(found.train.labels)) == [0, 1]
    assert len(found.class_names) == 2


def with_settings(labelled, seed=0, **data):
    made = recipe("classify")
    return draw_train(
        made.model_copy(update={"data": made.data.model_copy(update=data)}), labelled, seed
    )


def test_few_labels_of_each_class(labelled_sets):
    labelled = read(labelled_sets["classify"])
    assert labelled.class_names == SHAPES
    few = with_settings(labelled, labels_per_class=2)
    np.testing.assert_array_equal(few.train.labels, [0, 0, 1, 1])
    assert few.test is labelled.test
    drawn = {
        with_settings(labelled, seed, labels_per_class=2).train.images.take(slice(None)).tobytes()
        for seed in (0, 0, 1, 2)
    }
    assert len(drawn) > 1
    with pytest.raises(UserError, match="must be at most 4, .* of class 'disc', got 5"):
        with_settings(labelled, labels_per_class=5)
    assert len(with_settings(labelled, train_images=3).train) == 3
    assert len(with_settings(labelled, train_images=100).train) == 8


def test_few_labels_of_several_classes(labelled_sets):
    labelled = read(labelled_sets["detect"])
    np.testing.assert_array_equal(labelled.train.labels[-1], [-1, 0])  # difficult
    few = with_settings(labelled, labels_per_class=3)
    assert ((few.train.labels == 1).sum(axis=0) == 3).all()
    with pytest.raises(UserError, match="at most 3, the training images of class 'square', got 4"):
        with_settings(labelled, labels_per_class=4)
