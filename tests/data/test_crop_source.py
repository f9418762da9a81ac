"""Photographs as a source of crops."""

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_sample_images

from rotkeras import data
from rotkeras.data import Crops, cache
from rotkeras.data.crops import Photograph, cut
from rotkeras.errors import UserError


@pytest.fixture
def pictures(tmp_path, monkeypatch):
    """A folder of two photographs and one that is turned by EXIF."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "pictures"
    folder.mkdir()
    exif = Image.Exif()
    exif[274] = 6
    for number, pixels in enumerate(load_sample_images().images):
        Image.fromarray(pixels).save(folder / f"{number}.png")
    Image.fromarray(load_sample_images().images[0][:, ::-1]).save(folder / "2.png", exif=exif)
    return folder


def load(source, count=300, **settings):
    crops = settings.pop("crops", Crops(count=count))
    return data.load(source, image_size=16, crops=crops, **settings)


def everything(source):
    parts = [source.train] + ([source.validation] if source.validation else [])
    made = np.empty((sum(map(len, parts)), *source.image_shape), np.uint8)
    for part in parts:
        made[part.rows] = part.take(slice(None))
    return made


def test_each_photograph_gives_as_many_crops(pictures):
    told = []
    source = load(pictures, progress=lambda *each: told.append(each))
    assert (len(source.train), len(source.validation)) == (270, 30)
    assert (source.image_shape, source.train.labels, source.test) == ((16, 16, 3), None, None)
    assert source.kept.startswith("are 300 crops of 3 photographs, decoded into memory")
    assert told[-1] == (300, 300)
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    made = everything(source)
    for number in range(3):
        with Image.open(pictures / f"{number}.png") as image:
            pixels = np.asarray(image)
        upright = np.rot90(pixels, -1) if number == 2 else pixels
        numbers = np.arange(100 * number, 100 * number + 100)
        expected = cut(Photograph(upright), Crops(count=300), numbers, (16, 16))
        np.testing.assert_array_equal(made[numbers], expected)


def test_one_image_file_is_a_source(pictures):
    source = load(pictures / "0.png", count=100)
    assert source.name == "0"
    assert "are 100 crops of 1 photograph," in source.kept
    assert any("crops of the same photograph as training" in each for each in source.notes)
    by_name = load(str(pictures / "0.png"), count=100, kind="folder")
    assert by_name.train.fingerprint().digest == source.train.fingerprint().digest


def test_a_list_of_photographs(pictures, tmp_path):
    listed = tmp_path / "two.txt"
    listed.write_text("pictures/1.png\npictures/0.png\n")
    source = load(listed, count=100)
    alone = load(pictures / "1.png", count=50, crops=Crops(count=50))
    np.testing.assert_array_equal(everything(source)[:50], everything(alone))


def test_memory_and_cache_give_the_same_pixels(pictures, tmp_path, monkeypatch):
    memory = load(pictures)
    monkeypatch.setattr(cache, "available_memory", lambda: 1000)
    file = load(pictures)
    assert "decoded into the cache" in file.kept
    np.testing.assert_array_equal(everything(memory), everything(file))
    told = []
    found = load(pictures, progress=lambda *each: told.append(each))
    assert "found in the cache" in found.kept
    assert not told
    other = load(pictures, crops=Crops(count=300, shear=0.0))
    assert "decoded into the cache" in other.kept
    kept = load(pictures, cache=tmp_path / "mine")
    assert str(tmp_path / "mine") in kept.kept


def test_a_changed_photograph_makes_other_crops(pictures, tmp_path):
    first = load(pictures, cache=tmp_path / "mine")
    Image.fromarray(load_sample_images().images[1]).save(pictures / "0.png")
    again = load(pictures, cache=tmp_path / "mine")
    assert first.train.fingerprint().digest != again.train.fingerprint().digest


def test_rectangles(pictures):
    source = data.load(pictures, image_size=(16, 24), crops=Crops(count=30))
    assert source.image_shape == (16, 24, 3)


def test_broken_grey_and_transparent_photographs(pictures):
    (pictures / "1.png").write_bytes((pictures / "1.png").read_bytes()[:5000])
    grey = Image.open(pictures / "0.png").convert("L")
    grey.save(pictures / "3.png")
    see_through = Image.open(pictures / "0.png").convert("RGBA")
    see_through.putalpha(40)
    see_through.save(pictures / "4.png")
    Image.new("RGBA", (1, 1), (9, 8, 7, 0)).save(pictures / "5.png")
    source = load(pictures, count=600)
    assert len(everything(source)) == 500
    assert [each.path.endswith("1.png") for each in source.skipped] == [True]
    assert "are 500 crops of 5 photographs" in source.kept
    assert any("5.png: the shorter side has less than 64 pixels" in each for each in source.notes)
    with pytest.raises(UserError, match=r"1\.png could not be read as an image"):
        load(pictures, count=600, on_bad_image="error")


def test_parts_of_a_folder(tmp_path, pictures):
    top = tmp_path / "parts"
    for part in ("train", "val"):
        (top / part / "a").mkdir(parents=True)
        (top / part / "a" / "0.png").write_bytes((pictures / "0.png").read_bytes())
    source = load(top, count=100)
    assert any("the photographs in train/ alone" in each for each in source.notes)
    assert "1 photograph," in source.kept


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"count": 2}, r"crops\.count must be at least 3, one for each photograph, got 2"),
        ({"labels": "folders"}, "labels must be auto or none with crops"),
        ({"storage": "encoded"}, "storage must be auto, memory or file with crops"),
        ({"test_folder": "."}, r"are not for crops: remove them.*probe\.data"),
        ({"count": 10**9, "storage": "memory"}, "do not fit in memory: lower crops.count"),
        ({"count": 10**9}, r"1,000,000,000 images of 16×16 pixels need 715\.3 GiB in the cache"),
    ],
)
def test_mistakes_are_sentences(pictures, settings, words):
    with pytest.raises(UserError, match=words):
        load(pictures, **settings)


def test_sources_without_files_and_photographs_that_are_none(tmp_path):
    with pytest.raises(UserError, match="crops are made of image files, got kind 'arrays'"):
        load(np.zeros((3, 16, 16, 3), np.uint8))
    with pytest.raises(UserError, match="does not exist"):
        load(tmp_path / "nowhere")
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.png").write_text("no image")
    with pytest.raises(UserError, match=r"None of the 1 photographs of photos could be read"):
        load(tmp_path / "photos")
