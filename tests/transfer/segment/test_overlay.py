"""Colours of classes over photographs."""

import numpy as np
import pytest

from rotkeras.errors import UserError
from rotkeras.transfer.segment.colours import VOC_NAMES, voc_colours
from rotkeras.transfer.segment.overlay import overlay, sheet


def test_colours_are_those_of_the_development_kit():
    colours = voc_colours(256)
    assert colours.dtype == np.uint8
    published = {
        "background": (0, 0, 0),
        "aeroplane": (128, 0, 0),
        "bicycle": (0, 128, 0),
        "boat": (0, 0, 128),
        "cat": (64, 0, 0),
        "chair": (192, 0, 0),
        "person": (192, 128, 128),
        "tvmonitor": (0, 64, 128),
    }
    for name, colour in published.items():
        assert tuple(colours[VOC_NAMES.index(name)]) == colour
    assert tuple(colours[255]) == (224, 224, 192)
    assert len(np.unique(colours, axis=0)) == 256
    np.testing.assert_array_equal(voc_colours(5), colours[:5])


def test_half_of_a_colour_is_mixed_in_and_void_left_alone():
    image = np.full((2, 2, 3), (100, 101, 200), np.uint8)
    mask = np.array([[0, 1], [255, 2]], np.uint8)
    made = overlay(image, mask, voc_colours(3))
    np.testing.assert_array_equal(made[0, 0], [50, 51, 100])
    np.testing.assert_array_equal(made[0, 1], [114, 51, 100])
    np.testing.assert_array_equal(made[1, 0], [100, 101, 200])
    np.testing.assert_array_equal(made[1, 1], [50, 115, 100])
    np.testing.assert_array_equal(overlay(image, mask, voc_colours(3), 1.0)[1, 1], [0, 128, 0])
    assert (image == (100, 101, 200)).all()  # the photograph itself is kept


def test_wrong_sizes_and_missing_colours_are_named():
    image = np.zeros((2, 2, 3), np.uint8)
    with pytest.raises(UserError, match=r"\(2, 2\), got \(2, 3\)"):
        overlay(image, np.zeros((2, 3), np.uint8), voc_colours(2))
    with pytest.raises(UserError, match=r"got 2, .*class 7; use voc_colours\(8\)"):
        overlay(image, np.full((2, 2), 7, np.uint8), voc_colours(2))


def test_a_sheet_has_a_row_for_each_image():
    images = [np.full((3, 5, 3), grey, np.uint8) for grey in (10, 20)]
    truths = [np.full((3, 5), 1, np.uint8)] * 2
    predictions = [np.full((3, 5), 255, np.uint8)] * 2
    made = sheet(images, truths, predictions, voc_colours(2))
    assert made.shape == (3 + 4 + 3, 5 + 4 + 5 + 4 + 5, 3)
    assert (made[7:, :5] == 20).all()
    assert (made[7:, 9:14] == (74, 10, 10)).all()
    assert (made[7:, 18:] == 20).all()
    assert (made[3:7] == 255).all()
    assert (made[:, 5:9] == 255).all()
    for wrong in (images[:1], [images[0], np.zeros((4, 5, 3), np.uint8)]):
        with pytest.raises(UserError, match="as many images as truths"):
            sheet(wrong, truths, predictions, voc_colours(2))
