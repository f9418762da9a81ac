import io
import os
import struct

import numpy as np
import pytest
from PIL import Image, ImageOps

from rotkeras.errors import UserError
from rotkeras.images import orientation_in, read_image, to_rgb

PIXELS = np.random.default_rng(0).integers(0, 256, (12, 12, 3), dtype=np.uint8)


def grey(values, mode):
    image = Image.fromarray(np.asarray(values))
    assert image.mode == mode
    return np.asarray(to_rgb(image))[..., 0]


@pytest.mark.parametrize(
    ("values", "mode", "expected"),
    [
        (np.array([[0, 257, 32896, 65535]], np.uint16), "I;16", [0, 1, 128, 255]),
        (np.array([[0, 100, 200, 255]], np.uint16), "I;16", [0, 0, 1, 1]),
        (np.array([[0, 257, 32896, 65535]], np.int32), "I", [0, 1, 128, 255]),
        (np.array([[0, 100, 200, 255]], np.int32), "I", [0, 100, 200, 255]),
        (np.array([[0, 0.25, 0.5, 1]], np.float32), "F", [0, 64, 128, 255]),
        (np.array([[0, 1.5, 99.6, 255]], np.float32), "F", [0, 2, 100, 255]),
        (np.array([[0, 257, 32896, 65535]], np.float32), "F", [0, 1, 128, 255]),
        (np.zeros((1, 4), np.float32), "F", [0, 0, 0, 0]),
    ],
)
def test_deep_grey_images_keep_their_range(values, mode, expected):
    assert grey(values, mode).tolist() == [expected]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (
            np.array([[-1, 5]], np.int32),
            "32-bit integers from -1 to 5; convert them to the range 0",
        ),
        (np.array([[0, 70000]], np.int32), "32-bit integers from 0 to 70000"),
        (np.array([[0, np.nan]], np.float32), "floats from nan to nan"),
        (np.array([[0, np.inf]], np.float32), "floats from 0 to inf"),
        (np.array([[-0.5, 0.5]], np.float32), "floats from -0.5 to 0.5; .* 0…1, 0…255 or 0…65535"),
        (np.array([[0, 1e6]], np.float32), "floats from 0 to 1e"),
    ],
)
def test_values_out_of_range_are_refused_with_their_range(values, words):
    with pytest.raises(UserError, match=words):
        to_rgb(Image.fromarray(values))


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBX", "YCbCr", "CMYK", "HSV"])
def test_modes_that_pillow_converts(mode):
    image = Image.fromarray(PIXELS).convert(mode)
    np.testing.assert_array_equal(np.asarray(to_rgb(image)), np.asarray(image.convert("RGB")))


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA", "RGBa", "La"])
def test_transparency_is_dropped(mode):
    image = Image.new("LA" if mode in ("La", "PA") else mode.upper(), (2, 2))
    image = image.convert(mode) if image.mode != mode else image
    assert np.asarray(to_rgb(image)).shape == (2, 2, 3)
    if mode == "RGBA":
        clear = Image.new("RGBA", (2, 2), (10, 20, 30, 0))
        assert np.asarray(to_rgb(clear))[0, 0].tolist() == [10, 20, 30]


def test_lab_becomes_srgb():
    grey_in_lab = Image.new("LAB", (2, 2), (128, 128, 128))  # L* = 50.2, a* = b* = 0
    red, green, blue = (int(each) for each in np.asarray(to_rgb(grey_in_lab))[0, 0])
    # sRGB of L* 50.2 by hand: Y = ((50.2 + 16) / 116)^3 = 0.1859, encoded 0.4684
    assert abs(red - 119.4) <= 2
    assert max(red, green, blue) - min(red, green, blue) <= 2


@pytest.mark.parametrize("ending", ["tif", "png"])
def test_deep_files_are_not_black(tmp_path, ending):
    ramp = np.linspace(0, 65535, 144).reshape(12, 12)
    image = Image.fromarray(ramp.astype(np.uint16))
    image.save(tmp_path / f"a.{ending}")
    expected = np.rint(ramp.astype(np.uint16) / 257)
    np.testing.assert_array_equal(read_image(tmp_path / f"a.{ending}", 12)[..., 0], expected)
    if ending == "tif":
        Image.fromarray((ramp / 65535).astype(np.float32)).save(tmp_path / "f.tif")
        assert np.abs(read_image(tmp_path / "f.tif", 12)[..., 0] - expected).max() <= 1


# An EXIF block by hand: entries of (tag, type, count, four bytes).
def block(*entries, order="<", start=8, count=None, end=b"\0\0\0\0"):
    mark = b"II*\0" if order == "<" else b"MM\0*"
    head = mark + struct.pack(order + "L", start)
    table = struct.pack(order + "H", len(entries) if count is None else count)
    for tag, kind, values, value in entries:
        table += struct.pack(order + "HHL", tag, kind, values) + value
    return head + b"\0" * (start - 8) + table + end


def short(number, order="<"):
    return struct.pack(order + "HH", number, 0)


SIX = (0x0112, 3, 1, short(6))
MAKER = (0x927C, 7, 0xFFFFFFF0, b"\xff\xff\xff\xff")
DAMAGED = {
    "a tag that points out of the block": block(SIX, (0x010F, 2, 400, b"\xff\xff\0\0")),
    "a tag before it of an unknown type": block((0x0100, 99, 1, b"\0\0\0\0"), SIX),
    "a huge count": block(SIX, MAKER),
    "a rational without a denominator": block(SIX, (0x011A, 5, 1, b"\0\0\0\0")),
    "GPS that points to itself": block(SIX, (0x8825, 4, 1, b"\x08\0\0\0")),
    "an Exif folder out of the block": block(SIX, (0x8769, 4, 1, b"\xff\xff\xff\x7f")),
    "fewer entries than are named": block(SIX, count=40, end=b""),
    "cut short behind it": block(SIX, end=b""),
    "text in place of a number": block(SIX, (0x0100, 3, 9, b"abcd")),
    "big endian and damaged": block(
        (0x0112, 3, 1, short(6, ">")), (0x010F, 2, 400, b"\xff\xff\0\0"), order=">"
    ),
    "as a LONG": block((0x0112, 4, 1, b"\6\0\0\0"), (0x010F, 2, 400, b"\xff\xff\0\0")),
    "two values": block((0x0112, 3, 2, short(6)), MAKER),
    "a later folder": block(SIX, start=64),
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_the_orientation_is_read_beside_damage(kind):
    assert orientation_in(DAMAGED[kind]) == 6
    assert orientation_in(b"Exif\0\0" + DAMAGED[kind]) == 6


@pytest.mark.parametrize("kind", DAMAGED)
@pytest.mark.parametrize("ending", ["jpg", "png", "webp"])
def test_a_damaged_tag_beside_the_orientation_loses_no_photograph(kind, ending, tmp_path):
    stored = np.zeros((16, 16, 3), np.uint8)
    stored[:8, :8] = 255
    exif = DAMAGED[kind]
    image = Image.fromarray(stored)
    how = {"exif": b"Exif\0\0" + exif} if ending == "jpg" else {"exif": exif}
    image.save(tmp_path / f"a.{ending}", **how, **({"lossless": True} if ending == "webp" else {}))
    found = read_image(tmp_path / f"a.{ending}", 16)
    # 6: the top of what is shown is the left of what is stored, turned clockwise.
    assert found[4, 12].min() > 200
    assert found[4, 4].max() < 50


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"II*\0",
        b"II*\0\xff\xff\xff\xff",
        b"nothing of the kind",
        block(),
        block(count=9, end=b""),
    ],
)
def test_a_block_without_an_orientation_has_none(content):
    assert orientation_in(content) is None


def test_no_damage_raises():
    random = np.random.default_rng(0)
    whole = block(SIX, (0x010F, 2, 4, b"abc\0"))
    for _ in range(3000):
        damaged = bytearray(whole[: random.integers(1, len(whole) + 1)])
        for place in random.integers(0, len(damaged), 3):
            damaged[place] = random.integers(0, 256)
        found = orientation_in(bytes(damaged))
        assert found is None or 0 <= found < 2**32


@pytest.mark.parametrize("way", range(1, 9))
@pytest.mark.parametrize("ending", ["jpg", "png", "tif"])
def test_whole_orientations_are_those_of_pillow(way, ending, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = way
    path = tmp_path / f"a.{ending}"
    Image.fromarray(PIXELS).save(path, exif=exif)
    with Image.open(path) as image:
        expected = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    np.testing.assert_array_equal(read_image(path, 12), expected)


def test_the_orientation_of_xmp_counts_where_exif_has_none(tmp_path):
    packet = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf tiff:Orientation="3"/></x:xmpmeta>'
    Image.fromarray(PIXELS).save(tmp_path / "a.webp", lossless=True, xmp=packet)
    np.testing.assert_array_equal(read_image(tmp_path / "a.webp", 12), PIXELS[::-1, ::-1])


def test_a_named_pipe_is_never_opened(tmp_path):
    os.mkfifo(tmp_path / "a.jpg")
    with pytest.raises(OSError, match="it is a named pipe, not a file"):
        read_image(tmp_path / "a.jpg", 8)


def test_heic_is_read_where_pillow_heif_is_installed(tmp_path):
    pillow_heif = pytest.importorskip("pillow_heif")
    pillow_heif.register_heif_opener()
    Image.new("RGB", (64, 64), (200, 40, 90)).save(tmp_path / "a.heic", quality=95)
    found = read_image(tmp_path / "a.heic", 8)
    assert np.abs(found.astype(int) - (200, 40, 90)).max() < 12


def test_the_name_does_not_decide(tmp_path):
    content = io.BytesIO()
    Image.fromarray(PIXELS).save(content, "PNG")
    (tmp_path / "a.jpg").write_bytes(content.getvalue())
    np.testing.assert_array_equal(read_image(tmp_path / "a.jpg", 12), PIXELS)
