import errno
import json
import os
import subprocess
from collections import namedtuple
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from rotkeras.data import cache as cache_module
from rotkeras.data import folder as folder_module
from rotkeras.data import load
from rotkeras.data.cache import Stamp, available_memory, cached_array, default_cache
from rotkeras.data.folder import read_folder
from rotkeras.data.image_file import ImageFile
from rotkeras.errors import UserError

Usage = namedtuple("Usage", "total used free")


@pytest.fixture(autouse=True)
def own_default_cache(tmp_path, monkeypatch):
    """No test sees, or makes, a cache of the user who runs it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))


@pytest.fixture
def little_memory(monkeypatch):
    monkeypatch.setattr(cache_module, "available_memory", lambda: 2 * 5 * 8 * 8 * 3 - 1)


@pytest.fixture
def photos(tmp_path):
    generator = np.random.default_rng(0)
    (tmp_path / "photos").mkdir()
    for number in range(5):
        Image.fromarray(generator.integers(0, 256, (12, 16, 3), dtype=np.uint8)).save(
            tmp_path / "photos" / f"{number}.png"
        )
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


def test_the_cached_array_is_read_from_its_file_and_cannot_be_changed(photos, tmp_path):
    images, _ = read_folder(photos, 8, cache=tmp_path / "cache")
    assert isinstance(images.array, ImageFile)
    with pytest.raises(TypeError, match="assignment"):
        images.array[0] = 0
    copy = images.take(slice(0, 2))
    copy[:] = 0
    assert images.take(slice(0, 2)).any()


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
    assert (train.take(slice(None)) == 10).all()
    assert (test.take(slice(None)) == 200).all()


def test_on_bad_image_error_holds_for_a_cache_made_with_skip(photos, tmp_path):
    read_folder(photos, 8, cache=tmp_path / "cache")
    with pytest.raises(UserError, match=r"2\.png"):
        read_folder(photos, 8, on_bad_image="error", cache=tmp_path / "cache")


SHAPE = (3, 2, 2, 3)


def fill_two(out):
    out[0] = np.full((2, 2, 3), 5, np.uint8)
    out[1] = np.full((2, 2, 3), 6, np.uint8)
    return np.array([0, 2]), []


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, OSError])
def test_a_failing_fill_leaves_nothing_behind(tmp_path, error):
    def fill(out):
        out[0] = np.ones((2, 2, 3), np.uint8)
        raise error("stopped")

    with pytest.raises(error, match="stopped"):
        cached_array(SHAPE, fill, tmp_path / "cache", "photos", Stamp("stamp"))
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_fill_after_a_failed_one_works(tmp_path):
    def fail(out):
        raise RuntimeError

    with pytest.raises(RuntimeError):
        cached_array(SHAPE, fail, tmp_path, "photos", Stamp("stamp"))
    for _ in range(2):
        decoded = cached_array(SHAPE, fill_two, tmp_path, "photos", Stamp("stamp"))
        assert decoded.array.shape == (2, 2, 2, 3)
        assert decoded.array[0:2][:, 0, 0, 0].tolist() == [5, 6]
        assert decoded.positions.tolist() == [0, 2]
        assert decoded.bad == []


def test_another_process_that_was_first_is_used(tmp_path, monkeypatch):
    def outer(out):
        with monkeypatch.context() as other:
            other.setattr(os, "getpid", lambda: 222)
            assert cached_array(
                SHAPE, fill_two, tmp_path, "photos", Stamp("stamp")
            ).positions.tolist() == [0, 2]
        out[0] = np.ones((2, 2, 3), np.uint8)
        return np.array([0]), []

    monkeypatch.setattr(os, "getpid", os.getppid)
    decoded = cached_array(SHAPE, outer, tmp_path, "photos", Stamp("stamp"))
    assert decoded.positions.tolist() == [0, 2]
    assert (decoded.array[0] == 5).all()
    assert len(list(tmp_path.iterdir())) == 1


def test_what_a_killed_process_left_is_swept_up_and_a_living_ones_is_not(tmp_path):
    gone = subprocess.Popen(["true"])
    gone.wait()
    mine, other, host = f"photos-{'0' * 16}", f"photos-{'1' * 16}", cache_module._HOST
    stays = [
        f"{mine}.{host}.{os.getppid()}.part",
        f"{other}.{host}.{os.getpid()}.part",
        f"notes.{gone.pid}.part",
        "video.part",
    ]
    stays.append(f"{mine}.another-host.{gone.pid}.part")
    goes = [
        f"{mine}.{host}.{gone.pid}.part",
        f"{other}.{host}.{gone.pid}.part",
        f"{mine}.{host}.{os.getpid()}.part",
    ]
    for name in stays + goes:
        (tmp_path / name).mkdir()
    cached_array(SHAPE, fill_two, tmp_path, "photos", SimpleNamespace(key=lambda: "0" * 16))
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([mine, *stays])


def test_arrays_beside_the_images_come_back(tmp_path):
    for labels in (np.array([4, 5, 6]), np.zeros(3, np.int64)):
        cached_array(SHAPE, fill_two, tmp_path, "photos", Stamp("stamp"), {"labels": labels})
        assert labels.tolist() == [4, 5, 6]


def test_a_cache_in_the_form_of_before_is_found(photos, tmp_path, reads):
    first, bad = read_folder(photos, 8, cache=tmp_path / "cache")
    (index,) = (tmp_path / "cache").glob("*/index.json")
    index.write_text(json.dumps({"kept": [0, 1, 3, 4], "bad": [vars(each) for each in bad]}))
    reads.clear()
    second, again = read_folder(photos, 8, cache=tmp_path / "cache")
    assert reads == []
    assert again == bad
    assert np.array_equal(first.array, second.array)


@pytest.mark.parametrize(
    "damage", ["cut", "no index", "half an index", "another index", "no images"]
)
def test_a_damaged_cache_is_made_anew(photos, tmp_path, damage, reads):
    expected, _ = read_folder(photos, 8)
    read_folder(photos, 8, cache=tmp_path / "cache")
    (home,) = (tmp_path / "cache").iterdir()
    if damage == "cut":
        os.truncate(home / "images.npy", 300)
    elif damage == "no images":
        (home / "images.npy").unlink()
    elif damage == "no index":
        (home / "index.json").unlink()
    else:
        (home / "index.json").write_text(
            '{"images": 5, "mis' if damage == "half an index" else "[]"
        )
    reads.clear()
    images, bad = read_folder(photos, 8, cache=tmp_path / "cache")
    assert len(reads) == 5
    assert len(bad) == 1
    assert np.array_equal(images.array, expected.array)
    assert list((tmp_path / "cache").iterdir()) == [home]


def test_half_of_the_memory_is_filled_and_more_goes_to_the_default_cache(
    photos, tmp_path, monkeypatch, reads
):
    need = 5 * 8 * 8 * 3
    monkeypatch.setattr(cache_module, "available_memory", lambda: 2 * need)
    source = load(photos, image_size=8, validation_fraction=0)
    assert isinstance(source.train.array, np.ndarray)
    assert source.kept == "decoded into memory, 0.9 KiB"
    assert not (tmp_path / "xdg").exists()
    monkeypatch.setattr(cache_module, "available_memory", lambda: 2 * need - 1)
    large = load(photos, image_size=8, validation_fraction=0)
    (home,) = (tmp_path / "xdg" / "rotkeras").iterdir()
    assert (
        large.kept
        == f"decoded into the cache {home}, 0.9 KiB, and read from there as they are needed"
    )
    assert np.array_equal(source.train.array, large.train.array)
    reads.clear()
    monkeypatch.setattr(
        cache_module, "available_memory", lambda: 10**9
    )  # what is there is used, whether it would fit or not
    assert load(photos, image_size=8, validation_fraction=0).kept.startswith(
        f"found in the cache {home}"
    )
    assert reads == []


def test_images_that_changed_take_the_place_of_the_old_in_the_default_cache(
    photos, tmp_path, little_memory
):
    place = tmp_path / "xdg" / "rotkeras"
    before, _ = read_folder(photos, 8)
    first = [each.name for each in place.iterdir()]
    other = photos.parent / "elsewhere" / "photos"
    other.mkdir(parents=True)
    for number in range(5):
        Image.new("RGB", (8, 8), (number,) * 3).save(other / f"{number}.png")
    read_folder(other, 8)
    (place / "photos-8").mkdir()  # of someone else
    assert len(list(place.iterdir())) == 3
    Image.new("RGB", (8, 8)).save(photos / "2.png")
    assert len(read_folder(photos, 8)[0]) == 5
    assert len(list(place.iterdir())) == 3
    assert first[0] not in [each.name for each in place.iterdir()]
    assert len(before.take(slice(None))) == 4  # who was reading still can


def test_a_named_cache_keeps_what_it_has(photos, tmp_path):
    read_folder(photos, 8, cache=tmp_path / "cache")
    (photos / "2.png").unlink()
    read_folder(photos, 8, cache=tmp_path / "cache")
    assert len(list((tmp_path / "cache").iterdir())) == 2


def test_a_full_disk_is_one_sentence_before_any_is_read(
    photos, tmp_path, monkeypatch, little_memory, reads
):
    monkeypatch.setattr(
        cache_module.shutil, "disk_usage", lambda place: Usage(10**6, 10**6 - 900, 900)
    )
    for cache, storage in ((None, "file"), (tmp_path / "cache", None)):
        with pytest.raises(
            UserError,
            match=(
                r"5 images of 8×8 pixels need 0\.9 KiB in the cache .*free there: make"
                r" room.*data\.cache"
            ),
        ):
            read_folder(photos, 8, cache=cache, storage=storage)
    assert reads == []
    images, _ = read_folder(photos, 8)  # they stay where they are
    assert "stay encoded" in images.kept


def test_a_disk_that_fills_while_writing_is_one_sentence_and_leaves_nothing(tmp_path):
    def fill(out):
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(UserError, match=r"became full .*make room there, or set data\.cache"):
        cached_array(SHAPE, fill, tmp_path, "photos", Stamp("stamp"))
    assert list(tmp_path.iterdir()) == []


def test_a_cache_folder_that_may_not_be_written_is_a_user_error(
    photos, tmp_path, monkeypatch, little_memory
):
    monkeypatch.setattr(
        cache_module.os, "access", lambda place, how: False
    )  # root may write anywhere
    for cache in (None, tmp_path / "cache"):
        with pytest.raises(
            UserError,
            match=(r"data\.cache must be a folder that can be written to, got"),
        ):
            read_folder(photos, 8, cache=cache)


def test_the_default_cache_is_where_the_user_keeps_caches(monkeypatch, tmp_path):
    assert default_cache() == tmp_path / "xdg" / "rotkeras"
    monkeypatch.setenv("HOME", str(tmp_path))
    for relative in ("", "some/where"):  # which the XDG specification tells to ignore
        monkeypatch.setenv("XDG_CACHE_HOME", relative)
        assert default_cache() == tmp_path / ".cache" / "rotkeras"


def test_available_memory_heeds_the_limit_of_a_container(tmp_path, monkeypatch):
    assert 2**20 < available_memory() < 2**50
    group = {
        "memory.max": "5000",
        "memory.current": "3000",
        "memory.stat": "anon 1\ninactive_file 700\n",
    }
    for name, content in group.items():
        (tmp_path / name).write_text(content)
    monkeypatch.setattr(cache_module, "Path", lambda path: tmp_path)
    assert available_memory() == 5000 - 3000 + 700
    (tmp_path / "memory.max").write_text("max")
    assert available_memory() > 2**20


def test_names_that_are_no_utf8_have_a_cache_too(tmp_path):
    name = os.fsdecode(b"fa\xe7ade.png")
    (tmp_path / "photos").mkdir()
    try:
        Image.new("RGB", (8, 8), (1, 2, 3)).save(tmp_path / "photos" / name)
    except OSError:
        pytest.skip("this file system has no such names")
    for _ in range(2):
        images, _ = read_folder(tmp_path / "photos", 8, cache=tmp_path / "cache")
        assert list(images.names) == [name]


def test_a_file_in_place_of_the_cache_folder_is_a_user_error(photos, tmp_path):
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(UserError, match="cache"):
        read_folder(photos, 8, cache=tmp_path / "cache")
