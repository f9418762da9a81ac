"""Pictures of a task in the run folder: whole or not at all, and read back."""

import json

import numpy as np
import pytest
from PIL import Image

from rotkeras import UserError
from rotkeras.pretext.pictures import Picture
from rotkeras.run.pictures import LIST, read_pictures, write_pictures

PIXELS = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
COUNTS = np.array([[3, 1], [0, 4]])
BOTH = [
    Picture("puzzles", "Some puzzles.", pixels=PIXELS),
    Picture("positions-of-two", "Where they lie.", counts=COUNTS, class_names=("left", "right")),
]


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "run" / "pictures"


def test_what_is_written_is_read_back(folder):
    write_pictures(folder, BOTH)
    assert sorted(each.name for each in folder.iterdir()) == [LIST, "puzzles.png"]
    first, second = read_pictures(folder)
    assert (first.name, first.caption, first.counts) == ("puzzles", "Some puzzles.", None)
    np.testing.assert_array_equal(np.asarray(Image.open(first.file)), PIXELS)
    assert second.file is None
    assert second.counts == COUNTS.tolist()
    assert second.class_names == ("left", "right")


def test_new_pictures_take_the_place_of_old_ones(folder):
    write_pictures(folder, BOTH)
    write_pictures(folder, [Picture("other", "Another.", pixels=PIXELS)])
    assert sorted(each.name for each in folder.iterdir()) == ["other.png", LIST]
    assert [each.name for each in folder.parent.iterdir()] == ["pictures"]
    write_pictures(folder, [])
    assert not folder.exists()
    assert read_pictures(folder) == []


def test_a_write_that_breaks_leaves_the_old_ones(folder, monkeypatch):
    write_pictures(folder, BOTH)

    def full(*_, **__):
        raise OSError("no room")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(OSError, match="no room"):
        write_pictures(folder, [Picture("other", "Another.", pixels=PIXELS)])
    assert [each.name for each in read_pictures(folder)] == ["puzzles", "positions-of-two"]
    assert [each.name for each in folder.parent.iterdir()] == ["pictures"]


def test_what_a_killed_process_left_is_removed(folder):
    left = folder.parent / ".part-1-pictures"
    left.mkdir(parents=True)
    (left / "x.png").write_bytes(b"x")
    write_pictures(folder, BOTH)
    assert [each.name for each in folder.parent.iterdir()] == ["pictures"]


@pytest.mark.parametrize(
    ("picture", "words"),
    [
        ("puzzles", r"must return .*Picture objects, got str"),
        (Picture("a/b", "x", pixels=PIXELS), r"lower-case words joined by '-'.* got 'a/b'"),
        (Picture("", "x", pixels=PIXELS), r"got ''"),
        (Picture("puzzles", "x", pixels=PIXELS), r"no other's, got 'puzzles'"),
        (Picture("a", "x"), r"must have pixels or counts"),
        (Picture("a", "x", PIXELS, COUNTS, ("l", "r")), r"must have pixels or counts"),
        (Picture("a", "x", pixels=PIXELS / 255), r"must be uint8 \(H, W, 3\)"),
        (Picture("a", "x", pixels=PIXELS[..., 0]), r"must be uint8 \(H, W, 3\)"),
        (Picture("a", "x", pixels=PIXELS[:0]), r"must be uint8 \(H, W, 3\)"),
        (Picture("a", "x", counts=COUNTS, class_names=("l",)), r"got \(2, 2\) for 1"),
    ],
)
def test_what_is_no_picture_is_refused_and_nothing_is_written(folder, picture, words):
    with pytest.raises(UserError, match=words):
        write_pictures(folder, [BOTH[0], picture])
    assert not folder.exists()


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content[0].update(file="../../secret.png"),
        lambda content: content[0].update(name="../secret", file="../secret.png"),
        lambda content: content[0].pop("caption"),
        lambda content: content[0].update(file=None),
        lambda content: content[1].update(counts=[[1, 2]]),
    ],
)
def test_a_damaged_list_is_one_sentence(folder, change):
    write_pictures(folder, BOTH)
    content = json.loads((folder / LIST).read_text())
    change(content)
    (folder / LIST).write_text(json.dumps(content))
    with pytest.raises(UserError, match=r"pictures\.json is damaged"):
        read_pictures(folder)


def test_broken_json_and_lost_files_are_one_sentence(folder):
    write_pictures(folder, BOTH)
    (folder / "puzzles.png").unlink()
    with pytest.raises(UserError, match=r"puzzles\.png is missing"):
        read_pictures(folder)
    (folder / LIST).write_text("{")
    with pytest.raises(UserError, match=r"pictures\.json is damaged"):
        read_pictures(folder)
