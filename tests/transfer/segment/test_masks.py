"""Mask files: indices of palettes and levels, colours of VOC, and what cannot be used."""

import numpy as np
import pytest
from PIL import Image

from rotkeras.errors import UserError
from rotkeras.transfer.segment.colours import voc_colours
from rotkeras.transfer.segment.masks import MaskedImages, MaskError, read_mask

INDICES = np.array([[0, 1, 20], [255, 3, 7]], np.uint8)
SHAPE = (2, 3, 1)


def palette(indices):
    image = Image.fromarray(indices)
    image = image.convert("P")
    image.putdata(indices.ravel().tolist())
    image.putpalette(voc_colours(256).tobytes())
    return image


def test_palettes_and_levels_are_indices(tmp_path):
    palette(INDICES).save(tmp_path / "p.png")
    with Image.open(tmp_path / "p.png") as image:
        assert image.mode == "P"
        assert image.convert("RGB").getpixel((1, 0)) == (128, 0, 0)
    Image.fromarray(INDICES).save(tmp_path / "l.png")
    Image.fromarray(INDICES.astype(np.uint16)).save(tmp_path / "16.png")
    for name in ("p.png", "l.png", "16.png"):
        made = read_mask(tmp_path / name, SHAPE)
        assert made.dtype == np.uint8
        np.testing.assert_array_equal(made, INDICES)


def test_two_levels_of_one_bit_are_0_and_1(tmp_path):
    bits = np.array([[0, 1, 1], [1, 0, 0]], np.uint8)
    Image.fromarray(bits * 255).convert("1").save(tmp_path / "1.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "1.png", SHAPE), bits)


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_the_colours_of_voc_are_converted(tmp_path, mode):
    Image.fromarray(voc_colours(256)[INDICES]).convert(mode).save(tmp_path / "c.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "c.png", SHAPE), INDICES)


@pytest.mark.parametrize(
    "colour",
    [
        (1, 1, 1),
        (192, 192, 128),  # CamVid's poles: VOC's colour map has it at 31, which is no class of VOC
        (255, 255, 255),
    ],
)
def test_other_colours_are_to_be_converted(tmp_path, colour):
    colours = voc_colours(256)[INDICES]
    colours[1, 2] = colour
    Image.fromarray(colours).save(tmp_path / "c.png")
    with pytest.raises(UserError, match=r"c\.png.*Convert it to indices") as caught:
        read_mask(tmp_path / "c.png", SHAPE)
    assert isinstance(caught.value, MaskError)
    assert "PASCAL VOC" in caught.value.kind


def test_what_cannot_be_used_is_named_with_its_kind(tmp_path):
    Image.fromarray(INDICES).save(tmp_path / "l.png")
    whole = (tmp_path / "l.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[:-30])
    (tmp_path / "text.png").write_text("no image")
    Image.fromarray(INDICES).save(tmp_path / "j.png", format="JPEG")
    Image.fromarray(INDICES.astype(np.uint16) + 1).save(tmp_path / "high.png")
    Image.fromarray(INDICES).convert("LA").save(tmp_path / "la.png")
    for name, shape, message, kind in [
        ("l.png", (3, 2, 6), r"of 2×3 pixels.*of 3×2\. Make both", "another size"),
        ("cut.png", SHAPE, "could not be read", "could not be read"),
        ("text.png", SHAPE, r"could not be read \(its content is not an image\)", "could not be"),
        ("gone.png", SHAPE, r"could not be read \(it is gone\)", "could not be read"),
        ("j.png", SHAPE, "JPEG.*Write masks as PNG", "JPEG"),
        ("high.png", SHAPE, "levels from 1 to 256.*Number the classes", "above 255"),
        ("la.png", SHAPE, r"mode LA", "colours"),
    ]:
        with pytest.raises(MaskError, match=message) as caught:
            read_mask(tmp_path / name, shape)
        assert kind in caught.value.kind


@pytest.fixture
def four(tmp_path):
    paths = []
    for number in range(4):
        path = tmp_path / f"{number}.png"
        Image.fromarray(np.full((2, 3), number, np.uint8)).save(path)
        paths.append(path)
    shapes = np.array([(2, 3, 1)] * 4, np.int32)
    shapes[:, 2] = range(1, 5)
    return MaskedImages(tuple(paths), shapes, tuple(paths), ("a", "b", "c"))


def test_parts_keep_photographs_masks_and_shapes_together(four):
    assert len(four) == 4
    assert four.names == ("0.png", "1.png", "2.png", "3.png")
    part = four.part([3, 1])
    assert part.names == ("3.png", "1.png")
    assert part.masks == (four.masks[3], four.masks[1])
    assert part.shapes[:, 2].tolist() == [4, 2]
    assert part.class_names == four.class_names


def test_draws_are_of_the_seed_and_hold_smaller_ones(four):
    for seed in range(5):
        one, two = (set(four.draw(count, seed).names) for count in (1, 2))
        assert len(two) == 2
        assert one < two
        assert four.draw(2, seed).names == tuple(sorted(two))
    assert len({four.draw(2, seed).names for seed in range(9)}) > 1
    assert four.draw(9, 0).names == four.names


def test_void_and_what_is_no_class_become_255(four):
    assert [int(four.mask(number)[0, 0]) for number in range(4)] == [0, 1, 2, 255]
    of_void_1 = MaskedImages(four.paths, four.shapes, four.masks, four.class_names, void=1)
    assert [int(of_void_1.mask(number)[0, 0]) for number in range(4)] == [0, 255, 2, 255]
