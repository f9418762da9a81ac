import pytest
from PIL import Image

from rotkeras.data import load
from rotkeras.data.folder_layout import find_parts, why_no_labels
from rotkeras.errors import UserError

CLASSES = ["cat/1.png", "cat/2.png", "dog/1.png", "dog/2.png"]


def make(folder, *names):
    for number, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (number, 0, 0)).save(folder / name)
    return folder


def parted(folder, *parts):
    return make(folder, *(f"{part}/{name}" for part in parts for name in CLASSES))


@pytest.mark.parametrize("validation", ["val", "valid", "validation", "Val"])
def test_folders_of_parts_are_parts(validation, tmp_path):
    source = load(parted(tmp_path, "train", validation, "test"), image_size=8)
    assert (len(source.train), len(source.validation), len(source.test)) == (4, 4, 4)
    assert source.train.class_names == source.validation.class_names == ("cat", "dog")
    assert source.train.labels.tolist() == source.test.labels.tolist() == [0, 0, 1, 1]
    assert source.train.array[:, 0, 0, 0].tolist() == [0, 1, 2, 3]
    assert source.validation.array[:, 0, 0, 0].tolist() == [4, 5, 6, 7]
    assert source.notes == [
        f"train/ is training, {validation}/ is validation, test/ is the test set",
        "data.validation_fraction is not used: validation images have a folder",
    ]


def test_without_a_validation_folder_the_training_images_are_split(tmp_path):
    source = load(parted(tmp_path, "train", "test"), image_size=8, validation_fraction=0.5)
    assert (len(source.train), len(source.validation), len(source.test)) == (2, 2, 4)
    assert source.notes == ["train/ is training, test/ is the test set"]


def test_parts_without_class_folders_have_no_labels(tmp_path):
    make(tmp_path, "train/1.png", "train/2.png", "val/1.png")
    source = load(tmp_path, image_size=8)
    assert (len(source.train), len(source.validation), source.test) == (2, 1, None)
    assert source.train.labels is None


def test_files_beside_the_parts_are_named(tmp_path):
    make(parted(tmp_path, "train", "val"), "loose.png")
    assert load(tmp_path, image_size=8).notes[-1] == (
        "1 file beside these folders, such as 'loose.png', belongs to no part"
    )


def test_two_test_parts_are_refused(tmp_path):
    parted(tmp_path / "a", "train", "test")
    make(tmp_path / "b", *CLASSES)
    with pytest.raises(UserError, match="two test sets: data.test_folder=.*b' and the folder test"):
        load(tmp_path / "a", image_size=8, test_folder=tmp_path / "b")


@pytest.mark.parametrize(
    "names",
    [
        ("train/1.png", "car/1.png"),
        ("train/1.png", "val/1.png", "other/1.png"),
        ("val/1.png", "test/1.png"),
        ("train/1.png",),
        ("1.png",),
        ("train/1.png", "Train/2.png", "val/1.png"),
    ],
)
def test_other_folders_are_no_parts(names, tmp_path):
    assert find_parts(make(tmp_path, *names)) is None


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["1.png", "2.png"], ""),
        ([*CLASSES, "loose.png"], "'loose.png' lies beside the class folders; move it into one"),
        ([*CLASSES, "cat/deep/1.png"], "'cat/deep/1.png' lies more than one folder deep; set"),
        (["cat/1.png", "cat/2.png"], "all images lie in one folder, 'cat'"),
        (["a/1.png", "b/1.png", "c/1.png"], "3 folders hold 3 images, fewer than two each"),
    ],
)
def test_labels_that_are_not_used_are_explained(names, words, tmp_path):
    source = load(make(tmp_path, *names), image_size=8, validation_fraction=0)
    assert source.train.labels is None
    assert [words in note for note in source.notes] == ([True] if words else [])
    assert why_no_labels(names) == "".join(source.notes)


def test_nothing_is_said_of_labels_that_are_not_wanted(tmp_path):
    names = [*CLASSES, "loose.png"]
    assert (
        load(make(tmp_path, *names), image_size=8, labels="none", validation_fraction=0).notes == []
    )
