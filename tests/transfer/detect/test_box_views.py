"""Views of photographs: the boxes lie where the objects are seen."""

import numpy as np
import pytest
from PIL import Image

from rotkeras.data.keyed import Key
from rotkeras.errors import UserError
from rotkeras.images import read_size
from rotkeras.transfer.detect.boxes import BoxedImages, Boxes
from rotkeras.transfer.detect.views import BoxViews

COLOURS = np.array([(255, 0, 0), (0, 255, 0), (0, 0, 255)], np.uint8)


def boxes_of(*corners, classes=None, difficult=None):
    count = len(corners)
    return Boxes(
        np.array(corners, np.float32).reshape(-1, 4),
        np.arange(count) if classes is None else np.array(classes),
        np.zeros(count, bool) if difficult is None else np.array(difficult),
    )


def photograph(path, size, boxes, **options):
    """Black, with a rectangle of its class's colour for each object."""
    pixels = np.zeros((size[1], size[0], 3), np.uint8)
    for (left, top, right, bottom), number in zip(
        boxes.corners.astype(int), boxes.classes, strict=True
    ):
        pixels[top:bottom, left:right] = COLOURS[number]
    Image.fromarray(pixels).save(path, **options)
    return path


def images_of(tmp_path, *sets, size=(80, 60)):
    paths = [
        photograph(tmp_path / f"{number}.png", size, boxes) for number, boxes in enumerate(sets)
    ]
    shapes = np.array([read_size(path) for path in paths], np.int32)
    return BoxedImages(tuple(paths), shapes, tuple(sets), ("r", "g", "b"))


def key(count, epoch=0):
    return Key(np.int64(7), np.int64(epoch), np.arange(count, dtype=np.int64))


def seen(pixels, number):
    """The rectangle (left, top, right, bottom) in which a colour is the strongest."""
    strong = (pixels[..., number] > 127) & (pixels[..., (number + 1) % 3] < 128)
    rows, columns = np.flatnonzero(strong.any(axis=1)), np.flatnonzero(strong.any(axis=0))
    return [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]


def test_without_a_key_the_whole_photograph_is_stretched(tmp_path):
    # 80 × 60 to 40 wide and 120 high: columns times 1/2, rows times 2.
    views = BoxViews(
        images_of(tmp_path, boxes_of((20, 10, 40, 30), (0, 0, 80, 6)), boxes_of()), (120, 40)
    )
    pixels, corners, classes = views(np.array([1, 0]))
    assert pixels.shape == (2, 120, 40, 3)
    assert pixels.dtype == np.uint8
    assert corners.dtype == classes.dtype == np.float32
    assert corners.tolist() == [[[-1] * 4] * 2, [[10, 20, 20, 60], [0, 0, 40, 12]]]
    assert classes.tolist() == [[-1, -1], [0, 1]]
    np.testing.assert_allclose(seen(pixels[1], 0), [10, 20, 20, 60], atol=1)


@pytest.mark.parametrize("flip", [False, True])
def test_boxes_follow_crops_and_flips(tmp_path, flip):
    # Apart, so that each colour is one rectangle; many, so that crops cut some of them.
    objects = boxes_of((5, 5, 30, 28), (45, 8, 75, 25), (20, 35, 60, 58))
    count = 60
    images = images_of(tmp_path, objects).part([0] * count)
    views = BoxViews(images, (96, 128), scale=(0.2, 0.9), flip=flip)
    pixels, corners, classes = views(np.arange(count), key(count))
    checked = 0
    for at in range(count):
        for box, number in zip(corners[at], classes[at], strict=True):
            if number >= 0:
                np.testing.assert_allclose(box, seen(pixels[at], int(number)), atol=2)
                checked += 1
    assert 60 < checked < 180  # some have left
    assert ((classes == -1) == (corners == -1).all(axis=2)).all()
    inside = corners[classes >= 0]
    assert (inside >= 0).all()
    assert (inside[:, [0, 2]] <= 128).all()
    assert (inside[:, [1, 3]] <= 96).all()
    assert (inside[:, 2:] > inside[:, :2]).all()
    # Left of each other is right of each other where a view is mirrored.
    both = (classes[:, 0] == 0) & (classes[:, 1] == 1)
    mirrored = corners[both, 0, 0] > corners[both, 1, 0]
    assert both.sum() > 5
    assert mirrored.any() == flip
    assert not mirrored.all()


def test_an_object_stays_by_its_centre(tmp_path):
    objects = boxes_of((5, 5, 30, 28), (45, 8, 75, 25), (20, 35, 60, 58))
    count = 80
    views = BoxViews(
        images_of(tmp_path, objects).part([0] * count), (60, 80), scale=(0.2, 0.5), flip=False
    )
    crop = views._crop.boxes(key(count), views.images.shapes[:, :2])[0] * [60, 80, 60, 80]
    _, _, classes = views(np.arange(count), key(count))
    centres = [(17.5, 16.5), (60, 16.5), (40, 46.5)]
    partly = 0
    for (top, left, height, width), found in zip(np.rint(crop), classes, strict=True):
        inside = {
            number
            for number, (x, y) in enumerate(centres)
            if left + 1 < x < left + width - 1 and top + 1 < y < top + height - 1
        }
        outside = {
            number
            for number, (x, y) in enumerate(centres)
            if x < left - 1 or x > left + width + 1 or y < top - 1 or y > top + height + 1
        }
        if len(inside) + len(outside) == 3 and inside:  # a centre on the edge may fall either way
            assert set(found[found >= 0].astype(int)) == inside
            partly += len(inside) < 3
    assert partly > 20


def test_a_crop_without_objects_becomes_the_whole(tmp_path):
    small = boxes_of((2, 2, 6, 6))
    count = 40
    images = images_of(tmp_path, small, boxes_of()).part([0] * count + [1] * count)
    views = BoxViews(images, (60, 80), scale=(0.1, 0.2), flip=False)
    _, corners, classes = views(np.arange(2 * count), key(2 * count))
    assert (classes[:count, 0] == 0).all()
    whole = (corners[:count, 0] == [2, 2, 6, 6]).all(axis=1)
    assert 20 < whole.sum() <= count
    assert (classes[count:] == -1).all()
    assert views.most == 1


def test_views_are_a_function_of_seed_epoch_and_index(tmp_path):
    images = images_of(tmp_path, boxes_of((5, 5, 30, 28)), boxes_of((45, 8, 75, 25)))
    views = BoxViews(images, (32, 32))
    first = views(np.array([0, 1]), key(2))
    again = views(np.array([1]), Key(np.int64(7), np.int64(0), np.array([1])))
    assert all((a[1] == b[0]).all() for a, b in zip(first, again, strict=True))
    other = views(np.array([0, 1]), key(2, epoch=1))
    assert (first[0] != other[0]).any()


def test_difficult_objects_are_no_targets(tmp_path):
    objects = boxes_of((5, 5, 30, 28), (45, 8, 75, 25), difficult=[True, False])
    views = BoxViews(images_of(tmp_path, objects), (60, 80))
    assert views.most == 1
    _, corners, classes = views(np.array([0]))
    assert corners.tolist() == [[[45, 8, 75, 25]]]
    assert classes.tolist() == [[1]]


def test_boxes_of_a_photograph_that_exif_turns(tmp_path):
    # Stored 80 × 60 with orientation 6: shown turned clockwise, 60 wide and 80 high. The stored
    # rectangle (10, 5, 30, 25) is shown at columns 60 - 25 … 60 - 5 and rows 10 … 30.
    exif = Image.Exif()
    exif[0x0112] = 6
    path = photograph(
        tmp_path / "a.jpg", (80, 60), boxes_of((10, 5, 30, 25)), exif=exif, quality=95
    )
    shown = boxes_of((35, 10, 55, 30))
    images = BoxedImages((path,), np.array([read_size(path)], np.int32), (shown,), ("r",))
    pixels, corners, _ = BoxViews(images, (80, 60))(np.array([0]))
    assert corners.tolist() == [[[35, 10, 55, 30]]]
    np.testing.assert_allclose(seen(pixels[0], 0), [35, 10, 55, 30], atol=1)


def test_a_file_that_is_gone_or_changed_is_named(tmp_path):
    images = images_of(tmp_path, boxes_of((5, 5, 30, 28)))
    views = BoxViews(images, (32, 32))
    Image.new("RGB", (20, 20)).save(images.paths[0])
    with pytest.raises(UserError, match=r"0\.png could not be read.*changed"):
        views(np.array([0]))
    images.paths[0].unlink()
    with pytest.raises(UserError, match=r"0\.png could not be read.*gone"):
        views(np.array([0]))
