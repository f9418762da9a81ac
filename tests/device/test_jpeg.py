"""The orientation of JPEG files, byte for byte."""

import io

import numpy as np
import pytest
from PIL import Image
from test_exif import block

from rotkeras.device import exif, jpeg
from rotkeras.errors import UserError

XMP = b"http://ns.adobe.com/xap/1.0/\0"
VIDEO = b"\0\0\0\x18ftypmp42 a video \xff\xd8\xff\xda\xff\xd9 SEFT"


def segment(kind, content):
    return b"\xff" + bytes([kind]) + (len(content) + 2).to_bytes(2, "big") + content


def picture(**options):
    """(SOI and APP0, the rest) of a small JPEG."""
    file = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (24, 40, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(file, "JPEG", **options)
    data = file.getvalue()
    assert data[2:4] == b"\xff\xe0"
    return data[:20], data[20:]


def read(data):
    return Image.open(io.BytesIO(data)).getexif().get(exif.ORIENTATION)


OTHERS = (
    segment(0xE2, b"ICC_PROFILE\0\1\1 a profile")
    + segment(0xED, b"Photoshop 3.0\0")
    + segment(0xFE, b"a comment")
)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("app0", [True, False])
def test_the_tag_changes_in_place(order, app0):
    start, rest = picture()
    start = start if app0 else start[:2]
    packet = XMP + b"<x tiff:Orientation='6' tiff:Model='6'/>"
    parts = [
        start,
        segment(0xE1, b"Exif\0\0" + block(order, 6)),
        segment(0xE1, packet),
        OTHERS,
        rest,
        VIDEO,
    ]
    changed = list(parts)
    changed[1] = segment(0xE1, b"Exif\0\0" + block(order, 8))
    changed[2] = segment(0xE1, packet.replace(b"Orientation='6'", b"Orientation='8'"))
    before = b"".join(parts)
    assert jpeg.jpeg_with_orientation(before, 8) == b"".join(changed)
    assert (read(before), read(b"".join(changed))) == (6, 8)
    assert jpeg.jpeg_with_orientation(before, 6) == before


def test_without_exif_one_segment_of_36_bytes_is_put_behind_app0():
    start, rest = picture()
    after = jpeg.jpeg_with_orientation(start + OTHERS + rest + VIDEO, 3)
    assert after[:20] + after[56:] == start + OTHERS + rest + VIDEO
    assert read(after) == 3
    assert jpeg.jpeg_with_orientation(start[:2] + rest, 3)[38:] == rest


def test_without_the_tag_the_exif_segment_alone_grows():
    start, rest = picture()
    parts = [start, segment(0xE1, b"Exif\0\0" + block(">")), OTHERS, rest, VIDEO]
    after = jpeg.jpeg_with_orientation(b"".join(parts), 5)
    assert after.startswith(start)
    assert after.endswith(OTHERS + rest + VIDEO)
    assert read(after) == 5
    assert len(after) - len(b"".join(parts)) == 2 + 3 * 12 + 4 + len(block(">")) % 2


def test_lists_of_pictures_stay_valid_or_the_file_is_refused():
    start, rest = picture()
    listed, tagged = segment(0xE2, b"MPF\0MM\0*"), segment(0xE1, b"Exif\0\0" + block("<", 6))
    without = segment(0xE1, b"Exif\0\0" + block("<"))
    assert jpeg.jpeg_with_orientation(start + listed + tagged + rest, 3).count(listed) == 1
    assert jpeg.jpeg_with_orientation(start + without + listed + rest, 3).count(listed + rest) == 1
    assert jpeg.jpeg_with_orientation(start + listed + rest, 3).count(listed + rest) == 1
    with pytest.raises(UserError, match="MPF"):
        jpeg.jpeg_with_orientation(start + listed + without + rest, 3)


def test_exif_of_several_segments_is_changed_where_the_tag_is():
    start, rest = picture()
    more = segment(0xE1, b"Exif\0\0 and more")
    before = start + segment(0xE1, b"Exif\0\0" + block("<", 6)) + more + rest
    assert jpeg.jpeg_with_orientation(before, 8) == before.replace(block("<", 6), block("<", 8))
    with pytest.raises(UserError, match="several segments"):
        jpeg.jpeg_with_orientation(start + segment(0xE1, b"Exif\0\0" + block("<")) + more + rest, 8)


def test_exif_that_is_full_is_refused():
    start, rest = picture()
    full = segment(0xE1, b"Exif\0\0" + block("<").ljust(65500, b"\0"))
    with pytest.raises(UserError, match="no room"):
        jpeg.jpeg_with_orientation(start + full + rest, 3)


@pytest.mark.parametrize(
    "options", [{}, {"progressive": True}, {"restart_marker_rows": 1}, {"quality": 100}]
)
def test_the_end_of_the_picture_is_found(options):
    start, rest = picture(**options)
    _, scans = jpeg.jpeg_parts(start + rest + VIDEO)
    assert jpeg.after_jpeg(scans) == VIDEO
    with pytest.raises(UserError, match="cut short"):
        jpeg.after_jpeg(jpeg.jpeg_parts((start + rest)[:-2])[1])


def test_what_is_no_jpeg_is_refused():
    start, rest = picture()
    for content, reason in (
        (b"GIF89a", r"it is not a JPEG file, which starts with FF D8\."),
        (start, "damaged at byte 20"),
        (start + b"xx" + rest, "damaged"),
        (start[:12], "damaged"),
    ):
        with pytest.raises(UserError, match=reason):
            jpeg.jpeg_with_orientation(content, 3)
