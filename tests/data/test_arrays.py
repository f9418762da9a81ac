import zipfile

import numpy as np
import pytest
from sklearn.datasets import load_digits

from rotkeras.data import load
from rotkeras.data.arrays import as_images, read_digits, read_npz
from rotkeras.errors import UserError


def random_images(count=6, *shape, seed=0):
    return np.random.default_rng(seed).integers(
        0, 256, (count, *(shape or (5, 5, 3))), dtype=np.uint8
    )


@pytest.mark.parametrize(
    "keys",
    [
        ("images", "labels", "test_images", "test_labels"),
        ("x_train", "y_train", "x_test", "y_test"),
        ("train_images", "train_labels", "test_images", "test_labels"),
    ],
)
def test_npz_with_each_key_convention(tmp_path, keys):
    images, test_images = random_images(6), random_images(3, seed=1)
    labels, test_labels = np.array([0, 1, 2, 0, 1, 2], np.uint8), np.array([2, 1, 0], np.int32)
    np.savez(
        tmp_path / "a.npz",
        **dict(zip(keys, (images, labels, test_images, test_labels), strict=True)),
    )
    train, test = (read_npz(tmp_path / "a.npz", part, None) for part in ("train", "test"))
    assert np.array_equal(train.array, images)
    assert train.labels.tolist() == [0, 1, 2, 0, 1, 2]
    assert train.labels.dtype == np.int64
    assert train.class_names == ("0", "1", "2")
    assert np.array_equal(test.array, test_images)
    assert test.labels.tolist() == [2, 1, 0]


def test_npz_without_a_test_part_or_labels(tmp_path):
    np.savez(tmp_path / "a.npz", images=random_images())
    assert read_npz(tmp_path / "a.npz", "train", None).labels is None
    assert read_npz(tmp_path / "a.npz", "test", None) is None


def test_labels_of_shape_n_1_are_flattened():
    labels = np.array([[3], [0], [1], [2], [2], [0]])
    assert as_images(random_images(), labels).labels.tolist() == [3, 0, 1, 2, 2, 0]


@pytest.mark.parametrize("shape", [(5, 5), (5, 5, 1)])
def test_greyscale_becomes_rgb(shape):
    grey = random_images(4, *shape)
    out = as_images(grey).array
    assert out.shape == (4, 5, 5, 3)
    assert all(np.array_equal(out[..., channel], grey.reshape(4, 5, 5)) for channel in range(3))


def test_resize_keeps_flat_colours_and_cuts_the_centre():
    wide = np.zeros((2, 8, 24, 3), np.uint8)
    wide[:, :, 8:16] = np.array([[10, 20, 30], [200, 100, 50]], np.uint8)[:, None, None]
    out = as_images(wide, image_size=4).array
    assert out.shape == (2, 4, 4, 3)
    assert (out[1, 1:3, 1:3] == (200, 100, 50)).all()
    assert (out[0, 1:3, 1:3] == (10, 20, 30)).all()


def test_images_without_pixels_are_refused():
    with pytest.raises(UserError):
        as_images(np.zeros((2, 0, 0, 3), np.uint8))


def test_images_that_are_not_square_keep_their_size():
    assert as_images(random_images(2, 5, 7, 3)).image_shape == (5, 7, 3)
    assert as_images(random_images(2, 5, 7, 3), image_size=4).image_shape == (4, 4, 3)


def test_object_arrays_are_refused_unread(tmp_path):
    ragged = np.empty(2, object)
    ragged[:] = [random_images(1), random_images(2)]
    np.savez(tmp_path / "a.npz", images=ragged)
    with pytest.raises(UserError, match=r"a\.npz"):
        read_npz(tmp_path / "a.npz", "train", None)


def test_object_labels_are_refused_unread(tmp_path):
    np.savez(tmp_path / "a.npz", images=random_images(2), labels=np.array([{"a": 1}, None], object))
    with pytest.raises(UserError, match=r"a\.npz"):
        read_npz(tmp_path / "a.npz", "train", None)


def test_text_named_npz_is_refused(tmp_path):
    (tmp_path / "a.npz").write_text("hello")
    with pytest.raises(UserError, match=r"a\.npz.*\.npz file.*numpy\.savez") as caught:
        read_npz(tmp_path / "a.npz", "train", None)
    assert "allow_pickle" not in str(caught.value)  # nobody should be led to unpickle a file


def test_an_empty_file_named_npz_is_refused(tmp_path):
    (tmp_path / "a.npz").write_bytes(b"")
    with pytest.raises(UserError, match=r"a\.npz"):
        read_npz(tmp_path / "a.npz", "train", None)


def test_a_single_array_named_npz_is_refused(tmp_path):
    with open(tmp_path / "a.npz", "wb") as file:
        np.save(file, random_images())
    with pytest.raises(UserError, match="single array"):
        read_npz(tmp_path / "a.npz", "train", None)


def test_a_truncated_npz_is_refused(tmp_path):
    np.savez(tmp_path / "a.npz", images=random_images(50))
    content = (tmp_path / "a.npz").read_bytes()
    (tmp_path / "a.npz").write_bytes(content[: len(content) // 2])
    with pytest.raises(UserError, match=r"a\.npz"):
        read_npz(tmp_path / "a.npz", "train", None)


def test_an_npz_with_damaged_content_is_refused(tmp_path):
    np.savez(tmp_path / "a.npz", images=random_images(50))
    content = bytearray((tmp_path / "a.npz").read_bytes())
    content[len(content) // 2] ^= 0xFF
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(UserError, match=r"a\.npz"):
        read_npz(tmp_path / "a.npz", "train", None)


def test_a_missing_npz_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"gone\.npz' does not exist"):
        read_npz(tmp_path / "gone.npz", "train", None)


def test_an_npz_without_images_lists_what_it_holds(tmp_path):
    np.savez(tmp_path / "a.npz", pictures=random_images(), other=np.zeros(3))
    with pytest.raises(
        UserError, match=r"must hold an array 'images' \(or 'x_train'\), got pictures, other;"
    ):
        read_npz(tmp_path / "a.npz", "train", None)


def test_a_zip_of_other_things_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as file:
        file.writestr("images", "text")
    with pytest.raises(UserError):
        read_npz(tmp_path / "a.npz", "train", None)


def test_load_takes_an_array():
    images = random_images(10)
    source = load(images, validation_fraction=0)
    assert np.array_equal(source.train.take(slice(None)), images)
    assert source.train.labels is None
    assert source.validation is None
    assert source.test is None


@pytest.mark.parametrize("pair", [tuple, list])
def test_load_takes_a_pair_of_images_and_labels(pair):
    images, labels = random_images(10), np.arange(10) % 3
    source = load(pair((images, labels)), validation_fraction=0)
    assert np.array_equal(source.train.take(slice(None)), images)
    assert source.train.labels.tolist() == labels.tolist()
    assert source.train.class_names == ("0", "1", "2")


def test_load_takes_an_npz_with_its_test_part(tmp_path):
    np.savez(
        tmp_path / "mine.npz",
        images=random_images(10),
        labels=np.arange(10),
        test_images=random_images(3, seed=1),
    )
    source = load(str(tmp_path / "mine.npz"), validation_fraction=0.2)
    assert source.name == "mine"
    assert (len(source.train), len(source.validation)) == (8, 2)
    assert np.array_equal(source.test.array, random_images(3, seed=1))


def test_images_of_different_sizes_in_a_list_are_a_user_error():
    with pytest.raises(UserError):
        load([random_images(1)[0], random_images(1, 7, 7, 3)[0], random_images(1)[0]])


def test_digits_equal_those_of_scikit_learn():
    digits = read_digits(None)
    expected = load_digits()
    assert digits.array.shape == (1797, 8, 8, 3)
    for channel in range(3):
        assert np.array_equal(digits.array[..., channel], np.rint(expected.images / 16 * 255))
    assert digits.array.max() == 255
    assert digits.labels.tolist() == expected.target.tolist()
    assert digits.class_names == tuple("0123456789")


def test_load_digits_splits_a_fifth_as_test():
    source = load("digits", validation_fraction=0.1)
    assert len(source.test) == round(0.2 * 1797)
    assert len(source.train) + len(source.validation) + len(source.test) == 1797
    rows = np.concatenate([source.train.rows, source.validation.rows, source.test.rows])
    assert sorted(rows.tolist()) == list(range(1797))
    assert len(source.validation) == round(0.1 * (1797 - len(source.test)))


def test_digits_can_be_made_larger():
    assert read_digits(32).image_shape == (32, 32, 3)


def test_an_npz_may_name_its_classes(tmp_path):
    images, names = np.zeros((4, 8, 8, 3), np.uint8), np.array(["cat", "dog", "emu"])
    np.savez(
        tmp_path / "named.npz",
        images=images,
        labels=[0, 1, 2, 1],
        test_images=images,
        test_labels=[0, 0, 1, 1],
        class_names=names,
    )
    source = load(tmp_path / "named.npz", validation_fraction=0)
    assert source.train.class_names == source.test.class_names == ("cat", "dog", "emu")
    np.savez(
        tmp_path / "bytes.npz", images=images, labels=[0, 1, 2, 1], class_names=names.astype("S")
    )
    assert load(tmp_path / "bytes.npz", validation_fraction=0).train.class_names == (
        "cat",
        "dog",
        "emu",
    )


def test_damaged_test_labels_beside_names_are_said_when_they_are_read(tmp_path):
    images, odd = np.zeros((4, 8, 8, 3), np.uint8), np.array([0, "b", 1, 0], object)
    names = np.array(["a", "b"])
    np.savez(
        tmp_path / "odd.npz",
        images=images,
        labels=[0, 1, 0, 1],
        test_images=images,
        test_labels=odd,
        class_names=names,
    )
    source = load(tmp_path / "odd.npz", validation_fraction=0)
    assert source.train.class_names == ("a", "b")
    with pytest.raises(UserError, match="holds Python objects"):
        _ = source.test


@pytest.mark.parametrize(
    "names",
    [
        np.array(["cat", "dog"]),
        np.array(["cat", "dog", "cat"]),
        np.array([1, 2, 3]),
        np.array([["cat", "dog", "emu"]]),
        np.array(["a", 1, 2], object),
    ],
)
def test_names_that_do_not_name_every_class_once_are_refused_when_loaded(names, tmp_path):
    images = np.zeros((4, 8, 8, 3), np.uint8)
    np.savez(
        tmp_path / "odd.npz",
        images=images,
        labels=[0, 1, 0, 1],
        test_images=images,
        test_labels=[0, 1, 2, 1],
        class_names=names,
    )
    with pytest.raises(
        UserError,
        match=r"odd\.npz:class_names must be an array of at least 3 different strings, one for each label from 0",
    ):
        load(tmp_path / "odd.npz")
