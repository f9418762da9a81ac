"""Images and labels in the forms that users have: the right result, or advice that works."""

import re
from types import SimpleNamespace

import numpy as np
import pytest

from rotkeras import UserError
from rotkeras.data import load
from rotkeras.data.array_forms import class_numbers, pixels

images = np.random.default_rng(0).integers(0, 256, (12, 6, 6, 3), dtype=np.uint8)
numbers = np.arange(12) % 3
words = np.array(["dog", "cat", "emu"])[numbers]
sorted_numbers = np.array([1, 0, 2])[numbers]


def objects(values):
    array = np.empty(len(values), object)
    array[:] = values
    return array


ADVICE = {
    "float in 0 to 1": (images / 255, images),
    "float in 0 to 255": (images.astype(np.float32), images),
    "float in -1 to 1": (images / 127.5 - 1, images),
    "int64": (images.astype(np.int64), images),
    "uint16": (images.astype(np.uint16) * 257, images),
    "bool": (images > 127, np.where(images > 127, 255, 0)),
    "RGBA": (np.concatenate([images, images[..., :1]], axis=3), images),
    "grey and alpha": (images[..., :2], images[..., :1]),
    "six channels": (np.concatenate([images, images], axis=3), images),
    "channels first": (images.transpose(0, 3, 1, 2), images),
    "one grey channel first": (images[..., :1].transpose(0, 3, 1, 2), images[..., :1]),
    "one image": (images[0], images[:1]),
    "an axis too many": (images[None], images),
    "a column of objects": (objects(list(images)), images),
}
"""Name: (array, what the advice makes of it)."""


@pytest.mark.parametrize("name", ADVICE)
def test_the_advice_for_other_arrays_makes_the_right_images(name):
    array, expected = ADVICE[name]
    with pytest.raises(UserError) as error:
        load(array, validation_fraction=0)
    message = str(error.value)
    assert message.startswith("images must be a uint8 array (N, H, W, 3) or (N, H, W) with values")
    assert "\n" not in message
    advised = re.search(r"write (.*?)( for .*)?\.$", message)[1]
    names = {"images": array, "numpy": np}
    for _ in range(3):  # such as first the channels, and then the dtype
        names["images"] = eval(advised, dict(names))
        try:
            result = load(names["images"], validation_fraction=0)
            break
        except UserError as again:
            advised = re.search(r"write (.*?)( for .*)?\.$", str(again))[1]
    assert np.array_equal(result.train.array, np.broadcast_to(expected, result.train.array.shape))


class Dataset:
    """As `tf.data.Dataset`."""

    def as_numpy_iterator(self):
        return iter([])


class Tensor:
    """As `torch.Tensor`."""

    __module__ = "torch"
    ndim, shape, dtype = 4, (2, 3, 8, 8), "torch.float32"

    def __array__(self):
        raise AssertionError


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (Dataset(), "got an object of type Dataset; a Dataset gives batches: collect its images"),
        (Tensor(), r"a torch tensor: write images\.permute\(0, 2, 3, 1\)\.cpu\(\)\.numpy\(\)"),
        (iter([images]), "got an object of type .*iterator; give an array, or a pair"),
        ({"images": images}, "give an array, or a pair"),
        (3.5, r"got 3\.5"),
        ([], r"got a float64 array of shape \(0,\)"),
        (images[:0], r"got a uint8 array of shape \(0, 6, 6, 3\)"),
        (["a.png", "b.png"], "file names are not read: give the folder"),
        ([images[0], images[0, :4]], r"one size, got a list of several sizes, such as \(4, 6, 3\)"),
        (objects([images[0], images[0, :4]]), "images of one size"),
        (np.where(images > 99, np.nan, 1.0), "it holds NaN or infinity"),
        (images.reshape(12, -1), r"these are 2 axes: write images\.reshape\(-1, height"),
        (images.astype(str), "give numbers"),
        (images.astype(int) - 300, r"the values are -300 to -4[0-9]: scale them to 0…255"),
        ((images, images), "images must be|The arrays must be images"),
        ((images, numbers, images), r"got a tuple of 3; group them"),
        ((images, numbers, images, numbers), r"got a tuple of 4; group them"),
    ],
)
def test_what_is_no_array_of_images_is_refused_in_a_sentence(given, words):
    with pytest.raises(UserError, match=words) as error:
        load(given, validation_fraction=0)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("given", [list(images), tuple(images), list(images[:2])])
def test_a_list_of_images_is_an_array(given):
    assert np.array_equal(load(given, validation_fraction=0).train.array, np.stack(given))


LABELS = {
    "list": list(numbers),
    "column": numbers[:, None],
    "uint8": numbers.astype(np.uint8),
    "whole floats": numbers.astype(float),
    "one-hot": np.eye(3, dtype=int)[numbers],
    "one-hot floats": np.eye(3, dtype=np.float32)[numbers],
    "one-hot list": np.eye(3)[numbers].tolist(),
    "one-hot booleans": np.eye(3, dtype=bool)[numbers],
    "objects": objects(numbers.tolist()),
    "a series": SimpleNamespace(__array__=None),
}


@pytest.mark.parametrize("name", LABELS)
def test_labels_in_every_form_are_the_same_class_numbers(name, tmp_path):
    labels = LABELS[name]
    if name == "a series":
        labels = pytest.importorskip("pandas").Series(numbers, index=numbers[::-1])
    part = load((images, labels), validation_fraction=0).train
    assert part.labels.tolist() == numbers.tolist()
    assert part.labels.dtype == np.int64
    assert part.class_names == ("0", "1", "2")
    if name != "objects":
        np.savez(tmp_path / "a.npz", images=images, labels=np.asarray(labels))
        assert load(tmp_path / "a.npz", validation_fraction=0).train.labels.tolist() == [*numbers]


@pytest.mark.parametrize("form", [list, objects, lambda each: each.astype("S"), np.asarray])
def test_strings_are_numbered_in_their_order(form, tmp_path):
    part = load((images, form(words)), validation_fraction=0).train
    assert part.labels.tolist() == sorted_numbers.tolist()
    assert part.class_names == ("cat", "dog", "emu")


def test_booleans_are_two_classes():
    part = load((images, numbers == 1), validation_fraction=0).train
    assert part.labels.tolist() == (numbers == 1).astype(int).tolist()
    assert part.class_names == ("False", "True")


@pytest.mark.parametrize("container", [tuple, list])
@pytest.mark.parametrize(
    ("labels", "test_labels", "names"),
    [
        (numbers[:, None], numbers[:4, None], ("0", "1", "2")),
        (words, np.array(["emu", "emu", "cat", "emu"]), ("cat", "dog", "emu")),
        (None, None, ()),
    ],
)
def test_train_and_test_as_keras_load_data_returns_them(container, labels, test_labels, names):
    given = container([container([images, labels]), container([images[:4] // 2, test_labels])])
    source = load(given, validation_fraction=0.25)
    assert (len(source.train), len(source.validation), len(source.test)) == (9, 3, 4)
    assert np.array_equal(source.test.take(slice(None)), images[:4] // 2)
    assert source.train.class_names == source.test.class_names == names
    if labels is words:
        assert source.test.labels.tolist() == [2, 2, 0, 2]


def test_a_file_numbers_the_strings_of_both_parts_alike(tmp_path):
    parts = {"x_train": images, "y_train": words, "x_test": images[:2], "y_test": ["emu", "cat"]}
    np.savez(tmp_path / "a.npz", **parts)
    source = load(tmp_path / "a.npz", validation_fraction=0)
    assert source.train.labels.tolist() == sorted_numbers.tolist()
    assert source.test.labels.tolist() == [2, 0]
    np.savez(tmp_path / "b.npz", **{**parts, "class_names": ["emu", "dog", "cat"]})
    source = load(tmp_path / "b.npz", validation_fraction=0)
    assert source.train.class_names == ("emu", "dog", "cat")
    assert source.test.labels.tolist() == [0, 2]


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (numbers[:3], "labels must have one value for each of 12 images, got 3."),
        (np.arange(13), "labels must have one value for each of 12 images, got 13."),
        (np.zeros((12, 2, 2)), "The arrays must be images, (images, labels) or ((images, labels),"),
        (3, "labels must be one value for each image, got 3."),
        (numbers + 0.5, "labels must be class numbers, got 0.5; give whole numbers or names."),
        (numbers - 1, "labels must be at least 0, got -1; leave out images without a label."),
        (numbers - 5, "labels must be at least 0, got -5; number them from 0."),
        (np.where(numbers == 1, np.nan, 1), "got 4 that are missing (NaN); leave those images out"),
        (objects([None, *words[1:]]), "got 1 that are missing; leave those images out."),
        (objects([3, *words[1:]]), "labels must be numbers or strings, got values of type int, s"),
        (objects([{}] * 12), "labels must be numbers or strings, got values of type dict."),
        (np.full(12, ""), "labels must not be empty text, got 12 empty labels."),
        (np.full((12, 3), 1 / 3), "the rows are not one-hot: write labels.argmax(axis=1)"),
        (np.ones((12, 3), int), "the rows are not one-hot"),
        (numbers.astype(complex), "labels must be whole numbers or strings, got a complex128"),
        (numbers * 10**6, "labels must be class numbers below 100000, got 2000000; number them"),
        ([[0], [1, 2]], "labels must be one value for each image, got lists of several lengths."),
    ],
)
def test_other_labels_are_refused_in_a_sentence(labels, words):
    with pytest.raises(UserError) as error:
        load((images, labels), validation_fraction=0)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_a_class_that_training_does_not_have_is_named():
    with pytest.raises(UserError, match="labels of test images must be one of 'cat', .* got 'owl'"):
        load(((images, words), (images[:1], ["owl"])))
    with pytest.raises(UserError, match="labels of test images must be below 3, the number of cl"):
        load(((images, numbers), (images[:1], [3])))


def test_names_are_used_as_given():
    labels, names = class_numbers([1, 0], 2, ("a", "b", "c"))
    assert (labels.tolist(), names) == ([1, 0], ("a", "b", "c"))
    assert pixels(images, "images") is images
