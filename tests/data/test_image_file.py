import gc
import os
from pathlib import Path

import numpy as np
import pytest

from rotkeras.data.image_file import ImageFile, NewImageFile


@pytest.fixture
def array():
    return np.random.default_rng(0).integers(0, 256, (40, 5, 4, 3), dtype=np.uint8)


@pytest.fixture
def file(tmp_path, array):
    np.save(tmp_path / "images.npy", array)
    return tmp_path / "images.npy"


INDICES = [
    0,
    -1,
    np.int64(7),
    slice(None),
    slice(3, 9),
    slice(30, 100),
    slice(9, 3),
    slice(None, None, -3),
    np.array([5]),
    np.array([7, 3, 3, 39, -1, 4, 5, 6]),
    np.array([], np.int64),
    np.array([[1, 2], [3, 0]]),
    [4, 5, 2],
    np.arange(40) % 3 == 0,
]


@pytest.mark.parametrize("index", INDICES, ids=map(str, range(len(INDICES))))
def test_rows_are_those_of_the_array(file, array, index):
    out = ImageFile(file)[index]
    assert out.dtype == np.uint8
    assert out.shape == array[index].shape
    assert np.array_equal(out, array[index])


def test_many_scattered_rows_and_long_runs(tmp_path, monkeypatch):
    from rotkeras.data import image_file

    monkeypatch.setattr(image_file, "_ROWS_AHEAD", 3)
    monkeypatch.setattr(image_file, "_LONG_READ", 4 * 12)
    array = np.random.default_rng(1).integers(0, 256, (500, 2, 2, 3), dtype=np.uint8)
    np.save(tmp_path / "a.npy", array)
    rows = np.random.default_rng(2).integers(0, 500, 700)
    assert np.array_equal(ImageFile(tmp_path / "a.npy")[rows], array[rows])
    rows = np.r_[10:200, 5, 300:302]
    assert np.array_equal(ImageFile(tmp_path / "a.npy")[rows], array[rows])


def test_reads_that_give_less_than_asked_go_on(file, array, monkeypatch):
    whole = os.preadv
    monkeypatch.setattr(os, "preadv", lambda file, into, at: whole(file, [into[0][:7]], at))
    assert np.array_equal(ImageFile(file)[3:9], array[3:9])


@pytest.mark.parametrize("index", [40, -41, np.array([0, 40]), np.array([-41])])
def test_rows_beyond_the_end_are_an_error(file, index):
    with pytest.raises(IndexError, match="of 40 images"):
        ImageFile(file)[index]


def test_it_is_an_array_to_numpy_and_has_a_length(file, array):
    images = ImageFile(file)
    assert (len(images), images.shape, images.dtype) == (40, (40, 5, 4, 3), np.uint8)
    assert np.array_equal(images, array)
    assert np.asarray(images, np.float32).dtype == np.float32
    with pytest.raises(ValueError, match="copy"):
        np.array(images, copy=False)


def test_fewer_rows_than_the_file_has(file, array):
    images = ImageFile(file, 3)
    assert np.array_equal(images, array[:3])
    assert np.array_equal(images[-1], array[2])
    with pytest.raises(IndexError):
        images[3]


def test_what_is_no_such_file_is_refused(tmp_path, file):
    for other in (
        np.zeros((2, 2), np.uint8),
        np.zeros((1, 2, 2, 3)),
        np.asfortranarray(np.zeros((2, 3, 4, 3), np.uint8)),
    ):
        np.save(tmp_path / "other.npy", other)
        with pytest.raises(ValueError, match="holds"):
            ImageFile(tmp_path / "other.npy")
    with pytest.raises(ValueError):
        ImageFile(file, 41)
    with pytest.raises(FileNotFoundError):
        ImageFile(tmp_path / "none.npy")
    os.truncate(file, 500)
    with pytest.raises(OSError, match="shorter"):
        ImageFile(file)
    assert len(ImageFile(file, 6)) == 6


def test_a_file_that_is_cut_while_it_is_read_is_an_error(file):
    images = ImageFile(file)
    os.truncate(file, 500)
    with pytest.raises(OSError, match="become shorter"):
        images[30]


def test_it_reads_on_after_the_file_was_removed_and_closes_it_in_the_end(file, array):
    images = ImageFile(file)
    descriptor = images._descriptor
    file.unlink()
    assert np.array_equal(images[2], array[2])
    del images
    gc.collect()
    with pytest.raises(OSError):
        os.fstat(descriptor)


def test_written_rows_come_back(tmp_path, array):
    with NewImageFile(tmp_path / "a.npy", (40, 5, 4, 3)) as file:
        file[3] = array[3]
        file[0:2] = array[:2]
        file[38:50] = array[
            38:, ..., :1
        ]  # one channel is written three times, and no row beyond the last
        file[5] = array[5].transpose(1, 0, 2).copy().transpose(1, 0, 2)
    loaded = np.load(tmp_path / "a.npy")
    for rows in (3, slice(0, 2), 5):
        assert np.array_equal(loaded[rows], array[rows])
    assert np.array_equal(loaded[38:], array[38:, ..., :1].repeat(3, axis=3))
    assert not loaded[6:38].any()
    with pytest.raises(ValueError), NewImageFile(tmp_path / "b.npy", (2, 5, 4, 3)) as file:
        file[0] = np.zeros((9, 9, 3), np.uint8)


def memory():
    with open("/proc/self/status") as status:
        return sum(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS"))


@pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="Linux says what a process holds"
)
def test_neither_writing_nor_reading_becomes_memory_of_the_process(tmp_path):
    shape = (1500, 96, 96, 3)  # 41 MB
    before = memory()
    with NewImageFile(tmp_path / "a.npy", shape) as file:
        for row in range(shape[0]):
            file[row] = np.full(shape[1:], row % 251, np.uint8)
    images = ImageFile(tmp_path / "a.npy")
    for start in range(0, 1500, 100):
        rows = np.random.default_rng(start).permutation(1500)[:100]
        assert (images[rows][:, 7, 7, 1] == rows % 251).all()
    assert memory() - before < 15e6
