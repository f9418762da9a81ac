"""Views of photographs and masks lie on each other, to the pixel."""

import numpy as np
import pytest
from PIL import Image

from rotkeras.data.keyed import Key
from rotkeras.errors import UserError
from rotkeras.transfer.segment.masks import MaskedImages
from rotkeras.transfer.segment.views import MaskViews, cut_mask


def masked(tmp_path, masks, way=1):
    """Photographs that are white where their masks are 1, and black where they are 0 or void."""
    paths, files, shapes = [], [], []
    for number, mask in enumerate(masks):
        grey = np.where(mask == 1, 255, 0).astype(np.uint8)
        path, file = tmp_path / f"{number}.png", tmp_path / f"{number}_mask.png"
        stored = {1: grey, 6: np.rot90(grey), 8: np.rot90(grey, -1)}[way]
        exif = Image.Exif()
        exif[274] = way
        Image.fromarray(np.stack([stored] * 3, -1)).save(path, exif=exif)
        Image.fromarray(mask).save(file)
        paths.append(path)
        files.append(file)
        shapes.append((*mask.shape, way))
    return MaskedImages(tuple(paths), np.array(shapes, np.int32), tuple(files), ("black", "white"))


def halves(height, width, edge, axis):
    mask = np.zeros((height, width), np.uint8)
    mask[(slice(None),) * axis + (slice(edge, None),)] = 1
    return mask


@pytest.mark.parametrize("size", [(48, 40), (23, 31), (120, 200)])
@pytest.mark.parametrize("axis", [0, 1])
def test_an_edge_lies_in_both_at_the_same_pixel(tmp_path, size, axis):
    """The resize is symmetric, so it crosses half of the grey levels where the edge is: the mask
    must change within that pixel, whatever the box, larger or smaller than the view."""
    images = masked(tmp_path, [halves(90, 131, edge, axis) for edge in (40, 45, 51)])
    views = MaskViews(images, size, scale=(0.3, 0.9))
    crossed = 0
    for epoch in range(20):
        positions = np.array([0, 1, 2])
        crops, masks = views(positions, Key(3, epoch, positions))
        grey = crops[..., 0].astype(float)
        # Levels near the half are of pixels whose centre is the edge itself.
        clear = np.abs(grey - 127.5) > 12
        np.testing.assert_array_equal((grey > 127.5)[clear], (masks == 1)[clear])
        assert clear.mean() > 0.9
        crossed += ((masks == 1).any((1, 2)) & (masks == 0).any((1, 2))).sum()
    assert crossed > 20


def test_views_are_a_function_of_the_key_and_half_are_mirrored(tmp_path):
    images = masked(tmp_path, [halves(60, 80, 40, 1)])
    views = MaskViews(images, (32, 40), scale=(1.0, 1.0))
    index = np.arange(200)
    positions = np.zeros(200, int)
    _, masks = views(positions, Key(1, 0, index))
    _, again = views(positions[50:60], Key(1, 0, index[50:60]))
    np.testing.assert_array_equal(masks[50:60], again)
    _, other = views(positions[50:60], Key(1, 1, index[50:60]))
    assert (other != again).any()
    mirrored = (masks[:, 0, 0] == 1).mean()
    assert 0.35 < mirrored < 0.65
    _, straight = MaskViews(images, (32, 40), (1.0, 1.0), flip=False)(positions, Key(1, 0, index))
    assert (straight[:, :, 0] == 0).all()


def test_a_mirrored_view_is_the_mirror_of_the_other(tmp_path):
    draws = np.random.default_rng(0)
    images = masked(tmp_path, [draws.integers(0, 2, (50, 70)).astype(np.uint8)])
    key, positions = Key(0, 0, np.arange(40)), np.zeros(40, int)
    crops, masks = MaskViews(images, (24, 32))(positions, key)
    plain_crops, plain_masks = MaskViews(images, (24, 32), flip=False)(positions, key)
    flipped = 0
    for at in range(40):
        if (masks[at] == plain_masks[at]).all():
            np.testing.assert_array_equal(crops[at], plain_crops[at])
        else:
            np.testing.assert_array_equal(masks[at], plain_masks[at][:, ::-1])
            np.testing.assert_array_equal(crops[at], plain_crops[at][:, ::-1])
            flipped += 1
    assert 10 < flipped < 30


def test_without_a_key_the_whole_photograph_is_stretched(tmp_path):
    mask = halves(30, 60, 20, 1)
    mask[:, 50:] = 255
    crops, masks = MaskViews(masked(tmp_path, [mask]), (30, 30))(np.array([0]))
    assert crops.dtype == masks.dtype == np.uint8
    assert crops.shape == (1, 30, 30, 3)
    np.testing.assert_array_equal(masks[0], np.repeat([[0] * 10 + [1] * 15 + [255] * 5], 30, 0))
    assert (crops[0, :, :9] == 0).all()
    assert (crops[0, :, 11:24] == 255).all()


@pytest.mark.parametrize("way", [6, 8])
def test_masks_are_of_upright_photographs(tmp_path, way):
    mask = halves(30, 50, 11, 0)
    mask[:, :20] = 0
    images = masked(tmp_path, [mask], way)
    crops, masks = MaskViews(images, (30, 50))(np.array([0]))
    np.testing.assert_array_equal(masks[0], mask)
    np.testing.assert_array_equal(crops[0, ..., 0], mask * 255)


def test_nearest_pixels_by_hand():
    mask = np.arange(5 * 6, dtype=np.uint8).reshape(5, 6)
    np.testing.assert_array_equal(cut_mask(mask, (1, 2, 3, 4), (3, 4)), mask[1:4, 2:6])
    # Three pixels to two: centres at 0.75 and 2.25; to six: each twice.
    np.testing.assert_array_equal(cut_mask(mask, (1, 2, 3, 3), (2, 2)), mask[[1, 3]][:, [2, 4]])
    np.testing.assert_array_equal(
        cut_mask(mask, (0, 0, 3, 3), (6, 6)), mask[:3, :3].repeat(2, 0).repeat(2, 1)
    )


def test_a_box_has_the_ratio_of_the_view(tmp_path):
    """A circle stays as round as the range of ratios allows, in a view that is no square."""
    rows, columns = np.mgrid[:80, :160]
    circle = ((rows - 40) ** 2 + (columns - 80) ** 2 < 30**2).astype(np.uint8)
    images = masked(tmp_path, [circle])
    views = MaskViews(images, (50, 100), scale=(0.9, 1.0))
    _, masks = views(np.zeros(50, int), Key(0, 0, np.arange(50)))
    ratios = [mask.any(0).sum() / mask.any(1).sum() for mask in masks == 1]
    assert min(ratios) > 0.7
    assert max(ratios) < 1.45
    assert np.median(ratios) == pytest.approx(1, abs=0.1)


def test_a_photograph_that_is_gone_is_named(tmp_path):
    images = masked(tmp_path, [halves(20, 20, 9, 0)] * 2)
    images.paths[1].unlink()
    with pytest.raises(UserError, match=r"1\.png could not be read as an image \(it is gone\)"):
        MaskViews(images, (16, 16))(np.array([0, 1]))
