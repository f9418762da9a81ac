"""The orientation of EXIF blocks that were put together here by hand, read by Pillow."""

import io
import struct

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageOps

from rotkeras.device import exif
from rotkeras.errors import UserError

THUMBNAIL = b"\xff\xd8 a thumbnail \xff\xd9"


def block(order="<", orientation=None, kind=3, next_directory=True):
    """A TIFF block with a camera's name, GPS, and a thumbnail in IFD1, each found by an offset."""
    entries = [(0x010F, 2, 6, None), (0x8825, 4, 1, None)]
    if orientation is not None:
        value = struct.pack(order + {3: "H", 4: "L"}[kind], orientation).ljust(4, b"\0")
        entries.insert(1, (exif.ORIENTATION, kind, 1, value))
    after = 8 + 2 + 12 * len(entries) + 4
    name, gps = after, after + 6
    first = gps + 2 + 12 + 4
    thumbnail = first + 2 + 24 + 4
    values = {0x010F: name, 0x8825: gps}
    content = struct.pack(order + "2sHL", b"II" if order == "<" else b"MM", 42, 8) + struct.pack(
        order + "H", len(entries)
    )
    for tag, type_, count, value in entries:
        content += struct.pack(order + "HHL", tag, type_, count) + (
            value or struct.pack(order + "L", values[tag])
        )
    content += struct.pack(order + "L", first if next_directory else 0) + b"Acme1\0"
    content += struct.pack(order + "HHHL4sL", 1, 1, 2, 2, b"N\0\0\0", 0)
    content += struct.pack(
        order + "HHHLLHHLLL", 2, 0x0201, 4, 1, thumbnail, 0x0202, 4, 1, len(THUMBNAIL), 0
    )
    return content + THUMBNAIL


def read(content):
    """What Pillow finds: (orientation, camera, GPS reference, thumbnail)."""
    found = Image.Exif()
    found.load(b"Exif\0\0" + content)
    first = found.get_ifd(ExifTags.IFD.IFD1)
    start = first.get(0x0201, 0)
    thumbnail = content[start : start + first.get(0x0202, 0)]
    return (
        found.get(exif.ORIENTATION),
        found.get(0x010F),
        found.get_ifd(ExifTags.IFD.GPSInfo).get(1),
        thumbnail,
    )


def shown(pixels, orientation):
    """The pixels as Pillow shows them under an orientation."""
    file, tags = io.BytesIO(), Image.Exif()
    tags[exif.ORIENTATION] = orientation
    Image.fromarray(pixels).save(file, "PNG", exif=tags)
    return np.asarray(ImageOps.exif_transpose(Image.open(file)))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_orientation_and_a_quarter_turn_are_another_orientation(orientation):
    pixels = np.random.default_rng(0).integers(0, 256, (3, 5, 3), dtype=np.uint8)
    for turns in range(-4, 5):
        expected = np.rot90(shown(pixels, orientation), turns)
        np.testing.assert_array_equal(shown(pixels, exif.turned(orientation, turns)), expected)


def test_numbers_that_are_no_orientation_count_as_1():
    assert [exif.turned(each, 1) for each in (0, 9, 1)] == [8, 8, 8]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("kind", "size"), [(3, 2), (4, 4)])
def test_a_tag_that_is_there_changes_by_its_value_alone(order, kind, size):
    before = block(order, 6, kind)
    after = exif.with_orientation(before, 3)
    place = 8 + 2 + 12 + 8
    assert after[:place] == before[:place]
    assert after[place + size :] == before[place + size :]
    assert (exif.orientation_of(before), exif.orientation_of(after)) == (6, 3)
    assert read(after) == (3, "Acme1", "N", THUMBNAIL)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("odd", [b"", b"\0"])
def test_a_tag_that_is_missing_is_added_behind_all_that_was_there(order, odd):
    before = block(order) + odd
    assert exif.orientation_of(before) is None
    after = exif.with_orientation(before, 8)
    assert after[:4] + after[8 : len(before)] == before[:4] + before[8:]
    assert read(before) == (None, "Acme1", "N", THUMBNAIL)
    assert read(after) == (8, "Acme1", "N", THUMBNAIL)
    (start,) = struct.unpack(order + "L", after[4:8])
    (count,) = struct.unpack_from(order + "H", after, start)
    tags = [
        struct.unpack_from(order + "H", after, start + 2 + 12 * number)[0]
        for number in range(count)
    ]
    assert tags == sorted(tags) == [0x010F, exif.ORIENTATION, 0x8825]
    assert start % 2 == 0
    assert exif.with_orientation(after, 1)[: len(before)] == after[: len(before)]


def test_a_new_block_holds_the_tag_alone():
    made = exif.with_orientation(b"", 6)
    assert len(made) == 26
    found = Image.Exif()
    found.load(made)
    assert dict(found) == {exif.ORIENTATION: 6}


@pytest.mark.parametrize("order", ["<", ">"])
def test_turned_pixels_lose_orientation_and_thumbnail(order):
    assert read(exif.without_orientation(block(order, 6))) == (1, "Acme1", "N", b"")
    assert read(exif.without_orientation(block(order))) == (None, "Acme1", "N", b"")
    assert exif.has_more_pages(block(order))
    assert not exif.has_more_pages(block(order, next_directory=False))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"nothing of the kind", "byte order mark"),
        (b"II*\0", "cut short"),
        (b"II*\0\xff\0\0\0\0\0", "outside of itself"),
        (block(orientation=6)[:30], "cut short"),
        (block(orientation=6).replace(b"\x12\x01\x03", b"\x12\x01\x02"), "not a number"),
        (block(orientation=6).replace(b"\x12\x01\x03\0\1", b"\x12\x01\x03\0\2"), "not a number"),
        (block(orientation=6).replace(b"\x0f\x01", b"\x12\x01"), "twice"),
    ],
)
def test_damaged_blocks_are_refused(content, reason):
    for attempt in (
        exif.orientation_of,
        lambda each: exif.with_orientation(each, 1),
        exif.without_orientation,
    ):
        with pytest.raises(UserError, match=f"EXIF block .*{reason}.*; repair it"):
            attempt(content)


def test_no_damage_leads_to_more_than_a_refusal_or_one_value():
    random = np.random.default_rng(0)
    for number in range(2000):
        damaged = bytearray(block("<>"[number % 2], 6 if number % 3 else None))
        for place in random.integers(0, len(damaged), 3):
            damaged[place] = random.integers(256)
        damaged = bytes(damaged[: random.integers(1, len(damaged) + 1)])
        try:
            after = exif.with_orientation(damaged, 5)
        except UserError:
            continue
        assert exif.orientation_of(after) == 5
        assert after[8:24] == damaged[8:24] or len(after) == len(damaged)


@pytest.mark.parametrize(
    "text",
    [
        '<x tiff:Orientation="6"/>',
        "<tiff:Orientation>6</tiff:Orientation>",
        "<x tiff:Orientation = '6' />",
    ],
)
def test_the_orientation_of_xmp_is_one_digit(text):
    packet = f"<rdf tiff:Make='6'>{text} xmp:Rating='6'</rdf>".encode()
    assert exif.xmp_with_orientation(packet, 3) == packet.replace(
        text.encode(), text.replace("6", "3").encode()
    )
    assert exif.xmp_with_orientation(b"<x tiff:Make='6'/>", 3) == b"<x tiff:Make='6'/>"
