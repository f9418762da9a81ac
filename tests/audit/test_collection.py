import numpy as np
import pytest
from PIL import Image

from rotkeras.audit.collection import open_collection, read_picture
from rotkeras.errors import UserError
from rotkeras.images import read_image


@pytest.fixture
def photographs(tmp_path, crops):
    """Six photographs in two folders and one at the top, of two shapes; one is turned by its EXIF
    orientation."""
    folder = tmp_path / "photographs"
    for number, name in enumerate(
        ("cats/a.png", "cats/old/b.jpg", "dogs/c.webp", "dogs/d.png", "e.png")
    ):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        picture = Image.fromarray(crops[number][:, : 30 + 10 * (number % 2)])
        exif = picture.getexif()
        if number == 1:
            exif[0x0112] = 6
        picture.save(path, exif=exif)
    return folder


def test_folders_are_the_first_below_the_top(photographs):
    found = open_collection(photographs)
    assert found.names == ["cats/a.png", "cats/old/b.jpg", "dogs/c.webp", "dogs/d.png", "e.png"]
    assert found.folders == ("(top)", "cats", "dogs")
    assert found.folder_of.tolist() == [1, 1, 2, 2, 0]
    assert found.is_files
    assert found.trained_on.all()
    assert (found.size, found.name, len(found)) == (64, "photographs", 5)


def test_pictures_are_what_training_reads(photographs):
    found = open_collection(photographs, image_size=16)
    for position, name in enumerate(found.names):
        np.testing.assert_array_equal(
            found.read(position).pixels, read_image(photographs / name, 16)
        )


def test_shapes_and_orientations_are_kept(photographs):
    pictures = [open_collection(photographs).read(position) for position in range(5)]
    assert [(each.width, each.height) for each in pictures] == [
        (30, 40),
        (40, 40),
        (30, 40),
        (40, 40),
        (30, 40),
    ]
    assert [each.orientation for each in pictures] == [1, 6, 1, 1, 1]
    wide = Image.fromarray(np.zeros((20, 50, 3), np.uint8))
    exif = wide.getexif()
    exif[0x0112] = 8
    wide.save(photographs / "wide.jpg", exif=exif)
    upright = read_picture(photographs / "wide.jpg", 8)
    assert (upright.width, upright.height, upright.orientation) == (20, 50, 8)


@pytest.mark.parametrize("tag", [0, 9, 77])
def test_an_orientation_that_does_not_exist_is_none(tmp_path, tag):
    picture = Image.fromarray(np.zeros((20, 50, 3), np.uint8))
    exif = picture.getexif()
    exif[0x0112] = tag
    picture.save(tmp_path / "a.jpg", exif=exif)
    assert read_picture(tmp_path / "a.jpg", 8).orientation == 1


def test_arrays_with_classes_and_a_test_part(tmp_path, crops):
    np.savez(
        tmp_path / "a.npz",
        images=crops[:6],
        labels=[0, 1, 1, 0, 2, 2],
        test_images=crops[6:8],
        test_labels=[0, 1],
    )
    found = open_collection(tmp_path / "a.npz")
    assert found.folders == ("0", "1", "2", "(test set)")
    assert found.folder_of.tolist() == [0, 1, 1, 0, 2, 2, 3, 3]
    assert found.trained_on.tolist() == [True] * 6 + [False] * 2
    assert found.names[5:7] == ["5", "test 0"]
    assert not found.is_files
    np.testing.assert_array_equal(
        np.stack([found.read(position).pixels for position in range(8)]), crops[:8]
    )
    assert open_collection(str(tmp_path / "a.npz"), image_size=20).read(7).pixels.shape == (
        20,
        20,
        3,
    )


def test_arrays_without_classes(crops):
    found = open_collection(crops)
    assert found.folders == ("(all)",)
    assert len(found) == 80


def test_digits_have_both_parts():
    found = open_collection("digits")
    assert (len(found), found.size, found.folders) == (1797, 8, (*"0123456789", "(test set)"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nowhere/",), "The image folder 'nowhere' does not exist"),
        (
            ("no_such_set_at_all",),
            "'no_such_set_at_all' is neither the name of a tensorflow-datasets set nor a folder",
        ),
        (("digits", None, 4), "--image-size must be at least 8 pixels, got 4;"),
        (
            (np.zeros((3, 20, 30, 3), np.uint8),),
            "got 20×30; add --image-size, which cuts a square",
        ),
        (
            (np.zeros((3, 4, 4, 3), np.uint8),),
            "The images of arrays must be at least 8 pixels a side, got 4;",
        ),
    ],
)
def test_mistakes_are_told_with_options(arguments, words):
    with pytest.raises(UserError) as error:
        open_collection(*arguments)
    assert words in str(error.value)
    assert "data.image_size" not in str(error.value)
