import numpy as np
import pytest
from damaged import rotated
from PIL import Image

from rotkeras.audit import scan as scanning
from rotkeras.audit.collection import open_collection
from rotkeras.audit.corners import empty_corners
from rotkeras.audit.fingerprints import digests, thumbnails
from rotkeras.audit.scan import scan
from rotkeras.errors import UserError


@pytest.mark.parametrize("chunk", [7, 256])
def test_every_image_is_read_once_and_little_is_kept(crops, monkeypatch, chunk):
    monkeypatch.setattr(scanning, "_CHUNK", chunk)
    images = np.concatenate([crops[:30], rotated(crops[30:40], 20)])
    collection = open_collection(images)
    reads = []
    counted = collection.read
    object.__setattr__(
        collection, "read", lambda position: (reads.append(position), counted(position))[1]
    )
    found = scan(collection, 12, seed=3)
    assert sorted(reads) == list(range(40))
    np.testing.assert_array_equal(found.positions, np.arange(40))
    np.testing.assert_array_equal(found.digests, digests(images))
    np.testing.assert_array_equal(found.thumbnails, thumbnails(images))
    np.testing.assert_array_equal(found.corners, empty_corners(images))
    assert found.pixels.shape == (12, 40, 40, 3)
    np.testing.assert_array_equal(found.pixels, images[found.drawn])
    assert found.shapes.tolist() == [[40, 40]] * 40
    assert found.skipped == []


def test_the_draw_follows_its_seed(crops):
    collection = open_collection(crops)
    first, again, other = (scan(collection, 20, seed).drawn.tolist() for seed in (0, 0, 1))
    assert first == again != other
    assert scan(collection, 1000).drawn.tolist() == list(range(80))


def test_a_test_part_is_not_drawn(tmp_path, crops):
    np.savez(tmp_path / "a.npz", images=crops[:10], test_images=crops[10:30])
    found = scan(open_collection(tmp_path / "a.npz"), 25)
    assert len(found.positions) == 30
    assert found.drawn.tolist() == list(range(10))


def test_files_that_cannot_be_read_are_named_and_rows_stay_in_step(tmp_path, crops):
    for number in range(6):
        Image.fromarray(crops[number]).save(tmp_path / f"{number}.png")
    (tmp_path / "1.png").write_text("no image")
    (tmp_path / "4.png").write_bytes((tmp_path / "4.png").read_bytes()[:300])
    told = []
    found = scan(
        open_collection(tmp_path, image_size=40), 100, progress=lambda *each: told.append(each)
    )
    assert found.positions.tolist() == [0, 2, 3, 5]
    assert [each.path for each in found.skipped] == ["1.png", "4.png"]
    assert found.skipped[0].reason == "its content is not an image"
    assert "truncated" in found.skipped[1].reason
    np.testing.assert_array_equal(found.pixels, crops[[0, 2, 3, 5]])
    assert found.drawn.tolist() == [0, 1, 2, 3]
    assert told[-1] == (6, 6)


def test_nothing_that_can_be_read(tmp_path):
    (tmp_path / "a.jpg").write_text("no image")
    with pytest.raises(
        UserError,
        match=("None of the 1 image files of test_nothing_that_can_be_read0 could be read;"),
    ):
        scan(open_collection(tmp_path), 10)
