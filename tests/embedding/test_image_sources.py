import os

import numpy as np
import pytest
from PIL import Image

from rotkeras.embedding import open_images
from rotkeras.errors import UserError


def read(images, size=12):
    return [images.read(images.item(position), size) for position in range(len(images))]


def refused(*arguments, size=12, **options):
    with pytest.raises(UserError) as error:
        open_images(*arguments, **options)(size)
    return str(error.value)


def test_a_folder_gives_names_and_classes_and_decodes_when_asked(photographs):
    images = open_images(photographs)(12)
    assert images.names[:5] == [
        "cat/00.jpg",
        "cat/01.png",
        "cat/02.webp",
        "cat/03.bmp",
        "dog/04.jpg",
    ]
    assert images.class_names == ("cat", "dog", "owl")
    assert images.labels.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert images.class_of(5) == "dog"
    assert images.short_name(5) == "05.png"
    expected = (
        Image.open(photographs / "dog/05.png")
        .crop((10, 0, 40, 30))
        .resize((12, 12), Image.Resampling.BILINEAR)
    )
    np.testing.assert_array_equal(images.read(images.item(5), 12), np.asarray(expected))


def test_photographs_without_classes_have_none(photographs):
    images = open_images(photographs / "cat")(12)
    assert images.labels is None
    assert images.class_names == ()
    assert images.class_of(0) == ""
    assert images.short_name(0) == images.names[0] == "00.jpg"


def test_a_set_that_is_named_by_its_prefix_is_opened_beside_a_file_of_its_name(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    for name in ("digits", "cifar10"):
        Image.new("RGB", (12, 12)).save(tmp_path / name, format="png")
        assert "is both a file here and" in refused(name)
        assert len(open_images(f"./{name}")(12)) == 1
    assert len(open_images("embedded:digits", resize=True)(8)) == 1438
    (tmp_path / "sets").mkdir()
    assert "'cifar10' is not prepared in" in refused("tfds:cifar10", data_dir=tmp_path / "sets")


def test_one_image_file(photographs):
    for path in (photographs / "cat/01.png", str(photographs / "cat/01.png")):
        images = open_images(path)(12)
        assert images.names == ["01.png"]
        assert read(images)[0].shape == (12, 12, 3)


def test_a_name_that_is_no_utf8_can_be_written_and_read(tmp_path):
    name = os.fsdecode(b"fa\xe7ade.png")
    try:
        Image.new("RGB", (12, 12), (1, 2, 3)).save(tmp_path / name)
    except OSError:
        pytest.skip("this file system has no such names")
    images = open_images(tmp_path)(12)
    assert images.names == ["fa\\xe7ade.png"]
    assert read(images)[0][0, 0].tolist() == [1, 2, 3]


def test_arrays_keep_row_numbers_and_labels(tmp_path):
    array = np.random.default_rng(0).integers(0, 256, (5, 12, 12, 3), dtype=np.uint8)
    np.savez(tmp_path / "a.npz", images=array, labels=[2, 0, 1, 1, 0], test_images=array[:2])
    for source in (tmp_path / "a.npz", str(tmp_path / "a.npz"), (array, [2, 0, 1, 1, 0])):
        images = open_images(source)(12)
        assert images.names == ["0", "1", "2", "3", "4"]
        assert images.labels.tolist() == [2, 0, 1, 1, 0]
        np.testing.assert_array_equal(read(images), array)
    assert open_images(array)(12).labels is None
    np.testing.assert_array_equal(
        read(open_images(str(tmp_path / "a.npz"), split="test")(12)), array[:2]
    )


def test_another_size_is_refused_and_resized_when_asked(tmp_path):
    array = np.random.default_rng(0).integers(0, 256, (3, 20, 20, 3), dtype=np.uint8)
    np.savez(tmp_path / "a.npz", images=array)
    words = refused(tmp_path / "a.npz")
    assert "are 20×20 and the encoder takes 12×12: add --resize" in words
    images = open_images(tmp_path / "a.npz", resize=True)(12)
    expected = [
        np.asarray(Image.fromarray(each).resize((12, 12), Image.Resampling.BILINEAR))
        for each in array
    ]
    np.testing.assert_array_equal(read(images), expected)
    oblong = np.zeros((3, 20, 30, 3), np.uint8)
    assert "20×30" in refused(oblong)
    assert "--resize" in refused(oblong)
    assert "data.image_size" not in refused(oblong)
    assert read(open_images(oblong, resize=True)(12))[0].shape == (12, 12, 3)


def test_digits_have_the_parts_of_load():
    from rotkeras.data import load

    source = load("digits", image_size=12)
    test = open_images("digits", split="test", resize=True)(12)
    np.testing.assert_array_equal(read(test), source.test.take(slice(None)))
    train = open_images("digits", resize=True)(12)
    assert len(train) + len(test) == 1797
    assert train.class_names == tuple("0123456789")
    assert "are 8×8 and the encoder takes 12×12" in refused("digits")


def test_a_set_of_tensorflow_datasets(monkeypatch):
    import tensorflow_datasets as tfds

    from rotkeras.data import tfds_source
    from rotkeras.data.source import Images

    class Builder:
        class info:  # noqa: N801
            features = tfds.features.FeaturesDict(
                {"image": tfds.features.Image(shape=(32, 32, 3)), "id": tfds.features.Text()}
            )
            splits = ("train", "test")

    asked = []

    def read_split(builder, split, size):
        asked.append((split, size))
        return Images.of(np.full((2, size, size, 3), 7, np.uint8), np.array([1, 0]), ("a", "b"))

    monkeypatch.setattr(tfds_source, "open_builder", lambda name, data_dir: Builder)
    monkeypatch.setattr(tfds_source, "read_split", read_split)
    images = open_images("some_set", data_dir="x")(32)
    assert (images.names, images.class_of(0)) == (["0", "1"], "b")
    assert "some_set are 32×32 and the encoder takes 16×16: add --resize" in refused(
        "some_set", size=16
    )
    assert len(open_images("some_set", split="test", resize=True)(16)) == 2
    assert asked == [("train", 32), ("test", 16)]
    assert "'some_set' has no split 'tset': did you mean 'test'?" in refused(
        "some_set", split="tset"
    )
    Builder.info.features = tfds.features.FeaturesDict({"image": tfds.features.Image()})
    assert "some_set differ in size and the encoder takes 16×16: add --resize" in refused(
        "some_set", size=16
    )


def test_what_is_missing_or_wrong(tmp_path, photographs):
    assert "does not exist" in refused(tmp_path / "nowhere")
    assert "image file 'nowhere.JPG' does not exist" in refused("nowhere.JPG")
    assert "array file 'nowhere.npz' does not exist" in refused("nowhere.npz")
    (tmp_path / "empty").mkdir()
    assert "holds no image" in refused(tmp_path / "empty")
    assert "has no parts, received --split test" in refused(photographs, split="test")
    assert "has no split 'tset': did you mean 'test'?" in refused("digits", split="tset")
    np.savez(tmp_path / "a.npz", images=np.zeros((2, 12, 12, 3), np.uint8))
    assert "has no test set" in refused(tmp_path / "a.npz", split="test")
    assert "must be a uint8 array" in refused(np.zeros((2, 12, 12, 3)))
    words = refused("no_such_set_anywhere")
    assert words.startswith(
        "'no_such_set_anywhere' is neither the name of a tensorflow-datasets set nor a folder"
    )
