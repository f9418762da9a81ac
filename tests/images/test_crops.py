"""Boxes of photographs: decoded at a reduced size, upright, and without a mark of which way is up."""

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_sample_image

from rotkeras.images import read_crop, read_size

STORED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""How a camera that was held so stores an upright picture."""


@pytest.fixture(scope="module")
def photograph():
    """427 × 640 pixels."""
    return Image.fromarray(load_sample_image("china.jpg"))


def saved(path, image, way=1, **how):
    exif = Image.Exif()
    exif[274] = way
    turned = image if STORED[way] is None else image.transpose(STORED[way])
    turned.save(path, exif=exif, **how)
    return path


def expected(image, box, size):
    """The box cut by Pillow alone, of whole pixels."""
    top, left, height, width = box
    cut = image.crop((left, top, left + width, top + height))
    return np.asarray(cut.resize(size[::-1], Image.Resampling.BILINEAR), np.int16)


BOXES = [(20, 40, 200, 300), (0, 0, 427, 640), (227, 440, 200, 200), (100, 3, 60, 70)]


@pytest.mark.parametrize("way", STORED)
@pytest.mark.parametrize("ending", ["png", "tiff"])
def test_every_orientation_gives_the_pixels_of_pillow(photograph, tmp_path, way, ending):
    path = saved(tmp_path / f"a.{ending}", photograph, way)
    shape = read_size(path)
    assert shape == (427, 640, 1 if ending == "tiff" else way)
    for box in BOXES:
        found = read_crop(path, box, (48, 64), shape)
        assert found.dtype == np.uint8
        # Resizing commutes with turns to one grey level.
        assert np.abs(found - expected(photograph, box, (48, 64))).max() <= 1


@pytest.mark.parametrize("way", STORED)
def test_a_reduced_jpeg_is_near_the_whole_one(photograph, tmp_path, way):
    large = photograph.resize((1283, 857), Image.Resampling.BICUBIC)  # no multiple of 8
    path = saved(tmp_path / "a.jpg", large, way, quality=95, subsampling=0)
    shape = read_size(path)
    assert shape == (857, 1283, way)
    for box in [(0, 0, 857, 1283), (101, 33, 640, 1000), (457, 883, 400, 400)]:
        found = read_crop(path, box, (48, 64), shape)
        difference = np.abs(found - expected(large, box, (48, 64)))
        assert difference.mean() < 2.0
        assert difference.max() < 40


def test_decoding_leaves_no_mark_of_which_way_is_up(photograph, tmp_path):
    """The differences from the whole picture are as large along one edge as along another."""
    large = photograph.resize((1283, 857), Image.Resampling.BICUBIC)
    path = saved(tmp_path / "a.jpg", large, quality=95, subsampling=0)
    found = read_crop(path, (0, 0, 857, 1283), (48, 64), read_size(path))
    difference = np.abs(found - expected(large, (0, 0, 857, 1283), (48, 64))).mean(axis=2)
    edges = [difference[0], difference[-1], difference[:, 0], difference[:, -1]]
    means = np.array([edge.mean() for edge in edges])
    assert means.max() < difference.mean() + 3


def test_it_decodes_no_more_than_is_needed(photograph, tmp_path, monkeypatch):
    path = saved(tmp_path / "a.jpg", photograph.resize((2560, 1708)), quality=90)
    asked = []
    from PIL import JpegImagePlugin

    draft = JpegImagePlugin.JpegImageFile.draft
    monkeypatch.setattr(
        JpegImagePlugin.JpegImageFile,
        "draft",
        lambda self, mode, size: asked.append(size) or draft(self, mode, size),
    )
    shape = read_size(path)
    read_crop(path, (0, 0, 1708, 2560), (64, 64), shape)  # 1/8 leaves 213 × 320
    read_crop(path, (0, 0, 500, 500), (64, 64), shape)  # 1/2 leaves 250 × 250
    read_crop(path, (0, 0, 120, 120), (64, 64), shape)  # as it is
    assert asked == [(320, 213), (1280, 854)]


def test_grey_images_and_palettes_become_rgb(photograph, tmp_path):
    for mode in ("L", "P", "RGBA", "1"):
        path = tmp_path / f"{mode}.png"
        photograph.convert(mode).save(path)
        assert read_crop(path, (0, 0, 100, 100), (16, 16), read_size(path)).shape == (16, 16, 3)


def test_a_file_that_has_changed_is_no_image_of_that_shape(photograph, tmp_path):
    path = saved(tmp_path / "a.jpg", photograph)
    shape = read_size(path)
    saved(path, photograph.resize((100, 100)))
    with pytest.raises(OSError, match="it has changed since its header was read"):
        read_crop(path, (0, 0, 50, 50), (16, 16), shape)


def test_a_box_of_one_pixel(photograph, tmp_path):
    path = saved(tmp_path / "a.png", photograph)
    found = read_crop(path, (7, 9, 1, 1), (4, 4), read_size(path))
    assert (found == np.asarray(photograph)[7, 9]).all()
