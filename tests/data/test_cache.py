import os
import subprocess

import numpy as np
import pytest
from PIL import Image

from rotkeras.data import cache as cache_module
from rotkeras.data import folder as folder_module
from rotkeras.data.cache import cached_array
from rotkeras.data.folder import read_folder
from rotkeras.errors import UserError


@pytest.fixture
def photos(tmp_path):
    generator = np.random.default_rng(0)
    (tmp_path / "photos").mkdir()
    for number in range(5):
        Image.fromarray(generator.integers(0, 256, (12, 16, 3), dtype=np.uint8)).save(tmp_path / "photos" / f"{number}.png")
    (tmp_path / "photos" / "2.png").write_text("broken")
    return tmp_path / "photos"


@pytest.fixture
def reads(monkeypatch):
    seen = []
    original = folder_module.read_image

    def count(path, size):
        seen.append(path.name)
        return original(path, size)

    monkeypatch.setattr(folder_module, "read_image", count)
    return seen


def test_memory_and_disk_give_the_same(photos, tmp_path):
    memory, memory_bad = read_folder(photos, 8)
    for _ in range(2):
        disk, disk_bad = read_folder(photos, 8, cache=tmp_path / "cache")
        assert np.array_equal(memory.array, disk.array)
        assert list(memory.names) == list(disk.names) == ["0.png", "1.png", "3.png", "4.png"]
        assert memory_bad == disk_bad
        assert [os.path.basename(each.path) for each in disk_bad] == ["2.png"]  # noqa: PTH119


def test_the_cached_array_is_memory_mapped_and_cannot_be_changed(photos, tmp_path):
    images, _ = read_folder(photos, 8, cache=tmp_path / "cache")
    assert isinstance(images.array, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        images.array[0] = 0
    copy = images.take(slice(0, 2))
    copy[:] = 0
    assert not isinstance(copy, np.memmap) or copy.base is not images.array


def test_the_second_read_does_not_decode(photos, tmp_path, reads):
    first, _ = read_folder(photos, 8, cache=tmp_path / "cache")
    assert sorted(reads) == [f"{number}.png" for number in range(5)]
    reads.clear()
    second, _ = read_folder(photos, 8, cache=tmp_path / "cache")
    assert reads == []
    assert np.array_equal(first.array, second.array)


def test_without_a_cache_every_read_decodes(photos, reads):
    read_folder(photos, 8)
    read_folder(photos, 8)
    assert len(reads) == 10


def test_a_changed_file_is_decoded_anew(photos, tmp_path, reads):
    read_folder(photos, 8, cache=tmp_path / "cache")
    reads.clear()
    Image.new("RGB", (12, 16), (9, 8, 7)).save(photos / "3.png")
    images, _ = read_folder(photos, 8, cache=tmp_path / "cache")
    assert "3.png" in reads
    assert (images.array[2] == (9, 8, 7)).all()


def test_an_added_file_and_another_size_are_decoded_anew(photos, tmp_path):
    read_folder(photos, 8, cache=tmp_path / "cache")
    Image.new("RGB", (4, 4)).save(photos / "9.png")
    assert len(read_folder(photos, 8, cache=tmp_path / "cache")[0]) == 5
    assert read_folder(photos, 6, cache=tmp_path / "cache")[0].image_shape == (6, 6, 3)


def test_two_folders_of_one_name_do_not_share_a_cache(tmp_path):
    for parent, colour in (("train", 10), ("test", 200)):
        (tmp_path / parent / "images").mkdir(parents=True)
        path = tmp_path / parent / "images" / "a.bmp"
        Image.new("RGB", (8, 8), (colour,) * 3).save(path)
        os.utime(path, (0, 0))  # as unpacked from an archive without times
    train, _ = read_folder(tmp_path / "train" / "images", 8, cache=tmp_path / "cache")
    test, _ = read_folder(tmp_path / "test" / "images", 8, cache=tmp_path / "cache")
    assert (train.array == 10).all()
    assert (test.array == 200).all()


def test_on_bad_image_error_holds_for_a_cache_made_with_skip(photos, tmp_path):
    read_folder(photos, 8, cache=tmp_path / "cache")
    with pytest.raises(UserError, match=r"2\.png"):
        read_folder(photos, 8, on_bad_image="error", cache=tmp_path / "cache")


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, OSError])
def test_a_failing_fill_leaves_nothing_behind(tmp_path, error):
    def fill(array):
        array[0] = 1
        raise error("stopped")

    with pytest.raises(error, match="stopped"):
        cached_array((3, 2, 2, 3), fill, tmp_path / "cache", "photos", ["stamp"])
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_fill_after_a_failed_one_works(tmp_path):
    def fail(array):
        raise RuntimeError

    def fill(array):
        array[:2] = 5
        return [0, 2], []

    with pytest.raises(RuntimeError):
        cached_array((3, 2, 2, 3), fail, tmp_path, "photos", ["stamp"])
    array, kept, bad = cached_array((3, 2, 2, 3), fill, tmp_path, "photos", ["stamp"])
    assert array.shape == (2, 2, 2, 3)
    assert (array == 5).all()
    assert (kept, bad) == ([0, 2], [])


def test_another_process_that_was_first_is_used(tmp_path):
    def inner(array):
        array[:] = 1
        return [0], []

    def outer(array):
        array[:] = 1
        done = cached_array((1, 2, 2, 3), inner, tmp_path, "photos", ["stamp"])
        assert done[1] == [0]
        return [0], []

    monkey = iter([os.getppid(), 222])
    original = os.getpid
    os.getpid = lambda: next(monkey)
    try:
        array, kept, _ = cached_array((1, 2, 2, 3), outer, tmp_path, "photos", ["stamp"])
    finally:
        os.getpid = original
    assert kept == [0]
    assert (array == 1).all()
    assert len(list(tmp_path.iterdir())) == 1


def test_what_a_killed_process_left_is_swept_up_and_a_living_ones_is_not(tmp_path):
    gone = subprocess.Popen(["true"])
    gone.wait()
    for process in (gone.pid, os.getppid()):
        (tmp_path / f"photos-{'0' * 16}.{process}.part").mkdir(parents=True)
    home = tmp_path / f"photos-{'0' * 16}"
    cache_module._sweep(home, os.getpid())
    assert [path.name for path in tmp_path.iterdir()] == [f"{home.name}.{os.getppid()}.part"]


def test_images_that_do_not_fit_in_memory_are_refused_before_any_is_read(monkeypatch):
    monkeypatch.setattr(cache_module, "available_memory", lambda: 1000)
    with pytest.raises(UserError, match=r"data\.image_size.*data\.cache"):
        cached_array((10, 8, 8, 3), lambda array: pytest.fail("was filled"), None, "photos", [])


def test_a_file_in_place_of_the_cache_folder_is_a_user_error(photos, tmp_path):
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(UserError, match="cache"):
        read_folder(photos, 8, cache=tmp_path / "cache")
