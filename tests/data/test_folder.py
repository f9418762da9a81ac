import os
import socket
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rotkeras.data.folder import find_images, list_images, read_folder
from rotkeras.errors import UserError


def save(path, colour=(0, 0, 0)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8), colour).save(path, "PNG")


def make(folder, *names):
    for number, name in enumerate(names):
        save(folder / name, (number, 2 * number, 3 * number))
    return folder


def reds(images):
    return images.array[:, 0, 0, 0].tolist()


def test_reads_recursively_in_sorted_order_with_names(tmp_path):
    make(tmp_path, "b.png", "a.png", "deep/er/c.png")
    images, bad = read_folder(tmp_path, 8)
    assert list(images.names) == ["a.png", "b.png", "deep/er/c.png"]
    assert reds(images) == [1, 0, 2]
    assert images.array[2, 4, 4].tolist() == [2, 4, 6]
    assert images.labels is None
    assert bad == []


def test_hidden_files_and_folders_and_other_files_are_ignored(tmp_path):
    make(tmp_path, "a.png", ".hidden.png", ".thumbs/b.png", "in/.deep/c.png")
    (tmp_path / "notes.txt").write_text("x")
    notes = []
    assert list(read_folder(tmp_path, 8, notes=notes)[0].names) == ["a.png"]
    assert notes == [f"1 other file (.txt) in {tmp_path.name} is not an image"]


def test_extensions_are_case_insensitive(tmp_path):
    make(tmp_path, "a.PNG", "b.Png", "c.JPG", "d.JpEg")
    assert list(read_folder(tmp_path, 8)[0].names) == ["a.PNG", "b.Png", "c.JPG", "d.JpEg"]


def test_a_folder_named_like_an_image_is_a_folder(tmp_path):
    make(tmp_path, "a.png", "b.png/c.png")
    assert list(read_folder(tmp_path, 8)[0].names) == ["a.png", "b.png/c.png"]


def test_a_dangling_link_is_skipped_and_named(tmp_path):
    make(tmp_path, "a.png")
    (tmp_path / "b.png").symlink_to(tmp_path / "gone.png")
    images, bad = read_folder(tmp_path, 8)
    assert list(images.names) == ["a.png"]
    assert [each.path for each in bad] == [str(tmp_path / "b.png")]


def test_a_link_to_a_parent_gives_each_image_once(tmp_path):
    make(tmp_path, "in/a.png")
    (tmp_path / "in" / "up").symlink_to(tmp_path)
    assert len(read_folder(tmp_path, 8)[0]) == 1


def test_linked_folders_are_followed(tmp_path):
    make(tmp_path / "elsewhere", "a.png")
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "linked").symlink_to(tmp_path / "elsewhere")
    assert list(read_folder(tmp_path / "photos", 8)[0].names) == ["linked/a.png"]


def test_class_folders_give_labels_by_sorted_name(tmp_path):
    make(tmp_path, "zebra/1.png", "ant/1.png", "zebra/2.png", "ant/2.png", "bee/1.png", "bee/2.png")
    images, _ = read_folder(tmp_path, 8)
    assert images.class_names == ("ant", "bee", "zebra")
    assert images.labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert images.labels.dtype == np.int64
    assert reds(images) == [1, 3, 4, 5, 0, 2]


def test_labels_stay_with_their_images_when_one_is_bad(tmp_path):
    make(tmp_path, "a/1.png", "a/2.png", "b/1.png", "b/2.png")
    (tmp_path / "a" / "1.png").write_text("broken")
    images, bad = read_folder(tmp_path, 8)
    assert list(images.names) == ["a/2.png", "b/1.png", "b/2.png"]
    assert images.labels.tolist() == [0, 1, 1]
    assert reds(images) == [1, 2, 3]
    assert [each.path for each in bad] == [str(tmp_path / "a" / "1.png")]


@pytest.mark.parametrize(
    "names",
    [
        ("a.png", "b.png", "c.png"),
        ("x/y/a.png", "x/y/b.png", "z/y/a.png", "z/y/b.png"),
        ("x/a.png", "x/b.png", "z/y/a.png", "z/a.png"),
        ("x/a.png", "x/b.png", "z/a.png", "z/b.png", "top.png"),
        ("one/a.png", "one/b.png", "one/c.png"),
        ("1/a.png", "2/a.png", "3/a.png", "4/a.png"),
    ],
    ids=[
        "flat",
        "nested",
        "mixed depth",
        "one at the top",
        "a single folder",
        "one image per folder",
    ],
)
def test_auto_labels_are_none_for_anything_but_class_folders(tmp_path, names):
    images, _ = read_folder(make(tmp_path, *names), 8, "auto")
    assert len(images) == len(names)
    assert images.labels is None
    assert images.class_names == ()


def test_labels_folders_takes_the_first_folder_at_any_depth(tmp_path):
    make(tmp_path, "b/x/1.png", "a/1.png", "a/y/z/2.png")
    images, _ = read_folder(tmp_path, 8, "folders")
    assert images.class_names == ("a", "b")
    assert images.labels.tolist() == [0, 0, 1]


def test_labels_folders_with_an_image_at_the_top_is_an_error(tmp_path):
    make(tmp_path, "a/1.png", "b/1.png", "top.png")
    with pytest.raises(
        UserError, match=r"top.png.* lies beside the class folders.*data.labels=none"
    ):
        read_folder(tmp_path, 8, "folders")


def test_labels_none_has_none(tmp_path):
    make(tmp_path, "a/1.png", "a/2.png", "b/1.png", "b/2.png")
    images, _ = read_folder(tmp_path, 8, "none")
    assert images.labels is None
    assert images.class_names == ()


def test_a_missing_folder_is_an_error(tmp_path):
    with pytest.raises(UserError, match=r"does not exist\. Give the path of a folder of images\."):
        read_folder(tmp_path / "nowhere", 8)


def test_a_file_given_as_folder_is_an_error(tmp_path):
    make(tmp_path, "a.png")
    with pytest.raises(UserError, match=r"is a file\. Give the path of a folder of images\."):
        read_folder(tmp_path / "a.png", 8)


def test_a_folder_without_images_is_an_error(tmp_path):
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(
        UserError, match=r"holds no image that can be read, but 1 other file \(\.txt\)"
    ):
        read_folder(tmp_path, 8)


@pytest.mark.parametrize("cached", [False, True])
def test_a_folder_of_bad_files_is_an_error_that_names_the_first(tmp_path, cached):
    for name in ("a.png", "b.jpg"):
        (tmp_path / name).write_text("no image")
    for _ in range(2):
        with pytest.raises(UserError, match=r"None of the 2 image files .*a\.png"):
            read_folder(tmp_path, 8, cache=tmp_path / "cache" if cached else None)


def test_on_bad_image_error_names_the_file(tmp_path):
    make(tmp_path, "a.png")
    (tmp_path / "b.png").write_text("no image")
    with pytest.raises(UserError, match=r"b\.png could not be read"):
        read_folder(tmp_path, 8, on_bad_image="error")


def test_two_reads_give_the_same(tmp_path):
    make(tmp_path, *(f"{name}/{number}.png" for name in "cab" for number in (10, 9, 1)))
    first, second = (read_folder(tmp_path, 8)[0] for _ in range(2))
    assert list(first.names) == list(second.names) == sorted(first.names)
    assert np.array_equal(first.array, second.array)
    assert np.array_equal(first.labels, second.labels)


def test_given_class_names_fix_the_numbers(tmp_path):
    make(tmp_path, "b/1.png", "b/2.png", "c/1.png", "c/2.png")
    images, _ = read_folder(tmp_path, 8, "auto", ("a", "b", "c"))
    assert images.class_names == ("a", "b", "c")
    assert images.labels.tolist() == [1, 1, 2, 2]


def test_an_unknown_class_is_refused(tmp_path):
    make(tmp_path, "b/1.png", "b/2.png", "new/1.png", "new/2.png")
    with pytest.raises(UserError, match=r"'new'.*\(a, b\).*same classes"):
        read_folder(tmp_path, 8, "auto", ("a", "b"))


def test_names_with_spaces_umlauts_and_newlines_are_read(tmp_path):
    make(tmp_path, "ein Bild ä.png", "line\nbreak.png")
    assert sorted(read_folder(tmp_path, 8)[0].names) == ["ein Bild ä.png", "line\nbreak.png"]


def test_names_come_in_the_order_of_paths(tmp_path):
    names = [
        "a.png",
        "a/z.png",
        "a-b/1.png",
        "a b/1.png",
        "a.b/c/2.png",
        "a.b/c.png",
        "A/1.png",
        "ä/1.png",
        "z.png",
        "a/é.png",
    ]
    make(tmp_path, *names)
    expected = sorted(Path(name) for name in names)
    assert list(read_folder(tmp_path, 8)[0].names) == [path.as_posix() for path in expected]
    assert list_images(tmp_path) == expected


def test_of_two_links_to_one_folder_the_first_is_read(tmp_path):
    make(tmp_path, "c/real/a.png", "b.png")
    (tmp_path / "a").symlink_to(tmp_path / "c" / "real")
    (tmp_path / "d").symlink_to(tmp_path / "c")
    assert list(read_folder(tmp_path, 8)[0].names) == ["a/a.png", "b.png"]


def test_a_folder_that_may_not_be_read_is_named(tmp_path, monkeypatch):
    make(tmp_path, "a/1.png", "b/1.png")
    original = os.scandir

    def scandir(path):
        if str(path).endswith("b"):
            raise PermissionError(13, "Permission denied", path)
        return original(path)

    monkeypatch.setattr(os, "scandir", scandir)  # root may read anywhere
    images, bad = read_folder(tmp_path, 8)
    assert list(images.names) == ["a/1.png"]
    assert [(each.path, each.reason) for each in bad] == [
        (str(tmp_path / "b"), "permission denied")
    ]
    with pytest.raises(UserError, match=r"b could not be read"):
        read_folder(tmp_path, 8, on_bad_image="error")


def test_a_file_takes_few_bytes_beside_its_pixels(tmp_path):
    make(tmp_path, "a/0.png", "b/0.png")
    for number in range(1, 400):
        for name in "ab":
            (tmp_path / name / f"{number:06d}.png").hardlink_to(tmp_path / name / "0.png")
    names = find_images(tmp_path)
    tracemalloc.start()
    try:
        names = find_images(tmp_path)
        size, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(names) == 800
    assert (
        size / len(names) < 30
    )  # 12 letters, 8 bytes of an index, an eighth to grow; a list of paths takes 300


@pytest.mark.parametrize("ending", ["", ".jpg", ".txt"])
def test_what_is_no_regular_file_is_named_and_never_opened(tmp_path, ending):
    make(tmp_path, "a.png")
    os.mkfifo(tmp_path / f"pipe{ending}")
    (tmp_path / f"gone{ending}").symlink_to(tmp_path / "nowhere")
    (tmp_path / f"loop{ending}").symlink_to(tmp_path / f"loop{ending}")
    (tmp_path / f"device{ending}").symlink_to("/dev/zero")
    socket_file = tmp_path / f"socket{ending}"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(socket_file))
        (tmp_path / "folder.jpg").mkdir()
        images, bad = read_folder(tmp_path, 8)
    assert list(images.names) == ["a.png"]
    assert {Path(each.path).stem: each.reason for each in bad} == {
        "pipe": "it is a named pipe, not a file",
        "gone": "it is a link to nothing, not a file",
        "loop": "it is a link that leads to itself, not a file",
        "device": "it is a device, not a file",
        "socket": "it is a socket, not a file",
        "folder": "it is a folder, not an image file",
    }


def test_images_are_recognised_by_content(tmp_path):
    image = Image.fromarray(np.full((8, 8, 3), 9, np.uint8))
    for ending, form in [
        ("tif", "TIFF"), ("tiff", "TIFF"), ("avif", "AVIF"), ("jfif", "JPEG"), ("jpe", "JPEG"),
        ("mpo", "MPO"), ("jp2", "JPEG2000"), ("tga", "TGA"), ("ppm", "PPM"),
        ("txt", "PNG"), ("dat", "TIFF"), ("0001", "JPEG"), ("JPG~", "WEBP"),
    ]:  # fmt: skip
        image.save(tmp_path / f"{form}.{ending}", form)
    image.save(tmp_path / "no ending", "PNG")
    image.save(tmp_path / "wrong.png", "JPEG")
    images, bad = read_folder(tmp_path, 8)
    assert bad == []
    assert len(images) == 15
    assert np.abs(images.array.astype(int) - 9).max() <= 2


def test_files_that_are_not_read_are_named_by_kind(tmp_path):
    make(tmp_path, "a.png")
    for name in ("b.CR2", "c.nef", "d.svg", "e.jxl"):
        (tmp_path / name).write_bytes(b"II*\0 no more than a beginning of a file")
    (tmp_path / "notes.txt").write_text("text")
    notes = []
    images, bad = read_folder(tmp_path, 8, notes=notes)
    assert list(images.names) == ["a.png"]
    assert [(Path(each.path).name, each.reason.partition(";")[0]) for each in bad] == [
        ("b.CR2", "camera raw files are not read"),
        ("c.nef", "camera raw files are not read"),
        ("d.svg", "vector graphics files are not read"),
        ("e.jxl", "JPEG XL files are not read"),
    ]
    assert len(notes) == 1
    with pytest.raises(UserError, match=r"b\.CR2 could not be read as an image \(camera raw"):
        read_folder(tmp_path, 8, on_bad_image="error")


def test_a_folder_of_nothing_but_raw_files_says_so(tmp_path):
    (tmp_path / "b.CR2").write_bytes(b"II*\0")
    with pytest.raises(UserError, match=r"the first that cannot: .*b\.CR2 \(camera raw files are"):
        read_folder(tmp_path, 8)
