"""Upright copies: what may not change stays byte for byte, and what a viewer shows is exactly the
original turned."""

import io
import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps, JpegImagePlugin, PngImagePlugin, TiffImagePlugin
from test_exif import THUMBNAIL, block, read
from test_jpeg import VIDEO, segment

from rotkeras.device import exif
from rotkeras.device.jpeg import jpeg_parts
from rotkeras.device.upright import check_folder, upright, write_upright
from rotkeras.errors import UserError

PIXELS = np.random.default_rng(0).integers(0, 256, (10, 14, 4), dtype=np.uint8)
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = b"<x tiff:Orientation='6' xmp:Rating='6'/>"


def file_of(image, form, **options):
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def shown(data):
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    return np.asarray(image.convert("RGBA") if image.mode == "P" else image)


def chunks(data):
    """The chunks of a PNG but for size and pixels, read here anew."""
    found, place = [], 8
    while place < len(data):
        (length,) = struct.unpack_from(">L", data, place)
        kind, content = data[place + 4 : place + 8], data[place + 8 : place + 8 + length]
        assert struct.unpack_from(">L", data, place + 8 + length)[0] == zlib.crc32(kind + content)
        if kind not in (b"IHDR", b"IDAT"):
            found.append((kind, content))
        place += 12 + length
    return found


@pytest.mark.parametrize("orientation", [None, *range(1, 9)])
@pytest.mark.parametrize("angle", [0, 90, 180, 270])
def test_a_jpeg_is_put_upright_by_its_tag_alone(orientation, angle):
    smooth = Image.fromarray(PIXELS[..., :3])
    before = (
        file_of(smooth, "JPEG", exif=b"Exif\0\0" + block(">", orientation), icc_profile=PROFILE)
        + VIDEO
    )
    how, after = upright(before, angle)
    assert how == ("tag" if angle else "unchanged")
    np.testing.assert_array_equal(shown(after), np.rot90(shown(before), -angle // 90))
    assert jpeg_parts(after)[1] == jpeg_parts(before)[1]
    if orientation:
        assert sum(a != b for a, b in zip(before, after, strict=True)) == (1 if angle else 0)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
@pytest.mark.parametrize(("orientation", "angle"), [(1, 90), (1, 180), (6, 270), (5, 90), (6, 180)])
def test_a_png_keeps_every_pixel_and_every_chunk(mode, orientation, angle):
    image = (
        Image.fromarray(PIXELS[..., 0].astype(np.uint16) * 257)
        if mode == "I;16"
        else Image.fromarray(PIXELS).convert(mode)
    )
    text = PngImagePlugin.PngInfo()
    text.add_text("Author", "somebody")
    text.add_itxt("XML:com.adobe.xmp", XMP.decode())
    text.add(b"prVt", b"private")
    tags = b"Exif\0\0" + block("<", orientation)
    options = dict(transparency=3) if mode == "P" else {}
    before = file_of(
        image, "PNG", pnginfo=text, exif=tags, icc_profile=PROFILE, dpi=(100, 200), **options
    )
    how, after = upright(before, angle)
    assert how == "pixels"
    np.testing.assert_array_equal(shown(after), np.rot90(shown(before), -angle // 90))
    assert Image.open(io.BytesIO(after)).mode == mode
    swapped = (angle % 180 == 90) ^ (orientation >= 5)
    for (kind, content), (kind_after, content_after) in zip(
        chunks(before), chunks(after), strict=True
    ):
        assert kind == kind_after
        if kind == b"eXIf":
            assert read(content_after) == (1, "Acme1", "N", b"")
        elif b"adobe.xmp" in content:
            assert content_after == content.replace(b"Orientation='6'", b"Orientation='1'")
        elif kind == b"pHYs" and swapped:
            assert content_after == content[4:8] + content[:4] + content[8:]
        else:
            assert content_after == content


@pytest.mark.parametrize("lossless", [True, False])
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
@pytest.mark.parametrize("orientation", [None, 1, 6, 7])
def test_a_webp_keeps_every_pixel_and_its_metadata(lossless, mode, orientation):
    options = (
        {}
        if orientation is None
        else dict(exif=block("<", orientation), icc_profile=PROFILE, xmp=XMP)
    )
    before = file_of(
        Image.fromarray(PIXELS).convert(mode), "WEBP", lossless=lossless, exact=True, **options
    )
    how, after = upright(before, 90)
    assert how == "pixels"
    np.testing.assert_array_equal(shown(after), np.rot90(shown(before), -1))
    image = Image.open(io.BytesIO(after))
    assert (image.mode, image.info.get("icc_profile")) == (mode, options.get("icc_profile"))
    assert image.getexif().get(exif.ORIENTATION, 1) == 1
    if orientation:
        assert read(image.info["exif"].removeprefix(b"Exif\0\0")) == (1, "Acme1", "N", b"")
        assert image.info["xmp"] == XMP.replace(b"Orientation='6'", b"Orientation='1'")


@pytest.mark.parametrize(
    ("form", "mode"),
    [("BMP", "RGB"), ("BMP", "L"), ("BMP", "P"), ("BMP", "1"), ("GIF", "P"), ("GIF", "L")],
)
def test_a_bmp_and_a_still_gif_keep_every_pixel(form, mode):
    before = file_of(Image.fromarray(PIXELS[..., :3]).convert(mode), form)
    how, after = upright(before, 270)
    assert how == "pixels"
    np.testing.assert_array_equal(shown(after), np.rot90(shown(before), 1))


@pytest.mark.parametrize("orientation", [None, 8])
def test_a_tiff_is_put_upright_by_its_tag(orientation):
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    if orientation:
        tags[exif.ORIENTATION] = orientation
    before = file_of(
        Image.fromarray(PIXELS[..., :3]),
        "TIFF",
        tiffinfo=tags,
        compression="tiff_lzw",
        icc_profile=PROFILE,
    )
    how, after = upright(before, 90)
    assert how == "tag"
    np.testing.assert_array_equal(shown(after), np.rot90(shown(before), -1))
    assert (
        after[8 : len(before)] == before[8:] if orientation is None else len(after) == len(before)
    )
    assert Image.open(io.BytesIO(after)).info["icc_profile"] == PROFILE


def smooth(height, width):
    y, x = np.mgrid[:height, :width] / 8
    return np.stack(
        [128 + 90 * np.sin(x), 128 + 90 * np.cos(y + x), 128 + 90 * np.sin(y)], -1
    ).astype(np.uint8)


@pytest.mark.parametrize(("orientation", "angle"), [(1, 90), (6, 0), (3, 270), (5, 180)])
@pytest.mark.parametrize("subsampling", [0, 1, 2])
def test_the_pixels_of_a_jpeg_are_turned_with_its_own_tables(orientation, angle, subsampling):
    tables = [list(range(1, 65)), list(range(2, 66))]
    options = dict(
        qtables=tables,
        subsampling=subsampling,
        icc_profile=PROFILE,
        comment=b"hello",
        progressive=True,
    )
    before = file_of(
        Image.fromarray(smooth(48, 64)),
        "JPEG",
        exif=b"Exif\0\0" + block("<", orientation),
        **options,
    )
    how, after = upright(before, angle, pixels=True)
    image = Image.open(io.BytesIO(after))
    swapped = (angle % 180 == 90) ^ (orientation >= 5)
    assert how == "re-encoded"
    assert read(image.info["exif"][6:]) == (1, "Acme1", "N", b"")
    assert (image.info["icc_profile"], image.info["comment"]) == (PROFILE, b"hello")
    assert "progressive" in image.info
    assert JpegImagePlugin.get_sampling(image) == (
        0 if subsampling == 1 and swapped else subsampling
    )
    expected = [np.reshape(each, (8, 8)).T.ravel().tolist() if swapped else each for each in tables]
    assert [image.quantization[number] for number in (0, 1)] == expected
    difference = np.abs(shown(after).astype(int) - np.rot90(shown(before), -angle // 90))
    assert difference.mean() < 6, difference.mean()
    assert after.count(THUMBNAIL) == 1  # cut off, not moved: offsets behind it stay valid


@pytest.mark.parametrize("form", ["JPEG", "TIFF"])
def test_pixels_that_are_stored_upright_are_not_coded_again(form):
    tags = Image.Exif()
    tags[exif.ORIENTATION] = 3
    before = file_of(Image.fromarray(PIXELS[..., :3]), form, exif=tags)
    how, after = upright(before, 180, pixels=True)
    assert how == "tag"
    assert sum(a != b for a, b in zip(before, after, strict=True)) == 1
    assert Image.open(io.BytesIO(after)).getexif()[exif.ORIENTATION] == 1


def test_pixels_of_grey_and_cmyk_jpegs_are_turned():
    for mode, tolerance in (("L", 3), ("CMYK", 6)):
        before = file_of(Image.fromarray(smooth(32, 48)).convert(mode), "JPEG", quality=90)
        after = upright(before, 90, pixels=True)[1]
        assert Image.open(io.BytesIO(after)).mode == mode
        assert np.abs(shown(after).astype(int) - np.rot90(shown(before), -1)).mean() < tolerance


def animated(form, **options):
    frames = [Image.new("RGB", (8, 6), colour) for colour in ("red", "blue")]
    return file_of(frames[0], form, save_all=True, append_images=frames[1:], **options)


def sixteen_bits():
    header = struct.pack(">LLBBBBB", 2, 1, 16, 2, 0, 0, 0)
    made = b"\x89PNG\r\n\x1a\n"
    for kind, content in (
        (b"IHDR", header),
        (b"IDAT", zlib.compress(b"\0" + bytes(range(12)))),
        (b"IEND", b""),
    ):
        made += (
            struct.pack(">L", len(content))
            + kind
            + content
            + struct.pack(">L", zlib.crc32(kind + content))
        )
    return made


JPEG = file_of(Image.fromarray(PIXELS[..., :3]), "JPEG")


@pytest.mark.parametrize(
    ("data", "pixels", "reason"),
    [
        (animated("GIF"), False, "2 frames"),
        (animated("PNG"), False, "2 frames"),
        (animated("WEBP"), False, "2 frames"),
        (animated("TIFF"), False, "2 frames"),
        (sixteen_bits(), False, "16 bits"),
        (JPEG + VIDEO, True, "more follows"),
        (file_of(Image.new("RGB", (8, 6)), "TIFF"), True, "pixels of TIFF"),
        (file_of(Image.new("RGB", (8, 6)), "TIFF", big_tiff=True), False, "BigTIFF"),
        (file_of(Image.new("RGB", (8, 6)), "PPM"), False, "PPM"),
        (
            JPEG[:20]
            + segment(0xE1, b"Exif\0\0" + block("<", 6).replace(b"\x12\x01\x03", b"\x12\x01\x05"))
            + JPEG[20:],
            False,
            "EXIF",
        ),
        (
            file_of(Image.fromarray(PIXELS[..., 0]).convert("P"), "PNG")[:-40],
            False,
            "could not be read|damaged",
        ),
        (b"no image", False, "could not be read"),
    ],
)
def test_what_cannot_be_put_upright_without_harm_is_left(tmp_path, data, pixels, reason):
    (tmp_path / "a.x").write_bytes(data)
    with pytest.raises(UserError, match=rf"a\.x.*({reason})"):
        write_upright(tmp_path / "a.x", tmp_path / "out" / "a.x", 90, pixels=pixels)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["a.x"]
    assert (tmp_path / "a.x").read_bytes() == data


def test_further_pictures_of_a_jpeg_stay(tmp_path):
    before = animated("MPO")
    after = upright(before, 180)[1]
    for number in (0, 1):
        image, copy = (Image.open(io.BytesIO(each)) for each in (before, after))
        image.seek(number)
        copy.seek(number)
        np.testing.assert_array_equal(np.asarray(copy), np.asarray(image))
    with pytest.raises(UserError, match="more follows"):
        upright(before, 180, pixels=True)


def test_a_copy_is_whole_and_dated_and_the_original_stays(tmp_path):
    source, target = tmp_path / "a.jpg", tmp_path / "out" / "deep" / "a.jpg"
    source.write_bytes(JPEG)
    os.utime(source, (1_000_000_000, 1_100_000_000))
    assert write_upright(source, target, 0) == "unchanged"
    assert target.read_bytes() == JPEG
    with pytest.raises(UserError, match="exists already: add --overwrite"):
        write_upright(source, target, 90)
    assert write_upright(source, target, 90, overwrite=True) == "tag"
    assert target.stat().st_mtime == source.stat().st_mtime == 1_100_000_000
    for path in (source, tmp_path / "link.jpg"):
        if path != source:
            path.symlink_to(source)
        with pytest.raises(UserError, match="is the original"):
            write_upright(source, path, 90, overwrite=True)
    assert source.read_bytes() == JPEG
    with pytest.raises(UserError, match="multiple of 90"):
        write_upright(source, target, 45)


def test_a_folder_where_originals_are_in_danger_is_refused(tmp_path):
    photographs = tmp_path / "a" / "photographs"
    photographs.mkdir(parents=True)
    (photographs / "x.jpg").write_bytes(JPEG)
    (tmp_path / "link").symlink_to(photographs)
    for folder, originals in (
        (photographs, photographs),
        (photographs / ".", photographs / "x.jpg"),
        (tmp_path / "link", photographs),
        (photographs / "upright", photographs),
        (tmp_path, photographs),
    ):
        with pytest.raises(
            UserError,
            match=r"that of the images\. Give a folder beside it, so that the originals stay\.",
        ):
            check_folder(folder, originals, overwrite=True)
    check_folder(tmp_path / "upright", photographs)
    check_folder(photographs / "upright", photographs / "x.jpg")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    with pytest.raises(UserError, match="holds files already: add --overwrite"):
        check_folder(tmp_path / "full", photographs)
    check_folder(tmp_path / "full", photographs, overwrite=True)
    with pytest.raises(UserError, match="is a file"):
        check_folder(tmp_path / "full" / "x", photographs)
