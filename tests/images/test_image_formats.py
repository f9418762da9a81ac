import io

import pytest
from PIL import Image

from rotkeras.images import formats


def encoded(name, mode="RGB"):
    file = io.BytesIO()
    Image.new(mode, (16, 16), 77).save(file, name)
    return file.getvalue()


READ = ["AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "MPO", "PNG", "PSD", "QOI", "TIFF", "WEBP"]


@pytest.mark.parametrize("name", [each for each in READ if each != "PSD"])
def test_content_is_recognised_without_a_name(name):
    assert formats.looks_like_an_image(encoded(name))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"x",
        b"hello world, this is text",
        b"#!/usr/bin/env python\nimport os",
        b'{"a": 1, "b": [1, 2, 3]}',
        bytes(64),
        bytes(range(64)),
        b"PK\x03\x04" + bytes(60),
        b"\x89HDF\r\n\x1a\n" + bytes(56),
        b'<?xml version="1.0"?><annotation>',
        b"%PDF-1.7\n" + bytes(40),
        b"%!PS-Adobe-3.0 EPSF-3.0" + bytes(40),
        b"\x1f\x8b\x08" + bytes(40),
        b"P6 is not a picture here",
    ],
)
def test_other_content_is_no_image(content):
    assert not formats.looks_like_an_image(content)


@pytest.mark.parametrize(
    "ending",
    [
        "tif",
        "tiff",
        "avif",
        "jfif",
        "jpe",
        "jpg",
        "jpeg",
        "mpo",
        "png",
        "apng",
        "bmp",
        "gif",
        "webp",
        "jp2",
        "tga",
        "ppm",
        "ico",
        "psd",
    ],
)
def test_endings_of_what_pillow_reads(ending):
    assert f".{ending}" in formats.extensions()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("a.CR2", "camera raw files are not read; convert it to JPEG or TIFF"),
        ("a.nef", "camera raw files"),
        ("b.dng", "camera raw files"),
        ("c.svg", "vector graphics files are not read; convert it to PNG"),
        ("d.jxl", "JPEG XL files"),
        ("e.exr", "high dynamic range files"),
        ("f.xcf", "image editor files"),
        ("g.txt", ""),
        ("h.jpg", ""),
        (".cr2", ""),
        ("no ending", ""),
    ],
)
def test_what_looks_like_an_image_by_name_and_is_not_read_is_named_by_kind(name, reason):
    assert formats.not_read(name).startswith(reason)
    assert bool(formats.not_read(name)) == bool(reason)


def test_pictures_that_are_handed_to_other_programs_are_not_opened():
    assert {"EPS", "WMF", "MPEG", "HDF5"}.isdisjoint(formats.formats())


def test_heic_without_pillow_heif_names_the_way_to_read_it(monkeypatch):
    for function in (formats.formats, formats.extensions):
        function.cache_clear()
    found = formats.importlib.util.find_spec
    monkeypatch.setattr(
        formats.importlib.util,
        "find_spec",
        lambda name: None if name == "pillow_heif" else found(name),
    )
    monkeypatch.setattr(Image, "ID", [name for name in Image.ID if name not in ("HEIF",)])
    monkeypatch.setattr(
        Image,
        "EXTENSION",
        {end: name for end, name in Image.registered_extensions().items() if name != "HEIF"},
    )
    advice = "HEIC files are not read; install pillow-heif: pip install 'rotkeras[heif]'"
    try:
        assert formats.not_read("IMG_0001.HEIC") == advice
        assert formats.heic_is_not_read(b"\0\0\0\x18ftypheic" + bytes(16)) == advice
        assert formats.heic_is_not_read(b"\0\0\0\x18ftypisom" + bytes(16)) == ""
    finally:
        for function in (formats.formats, formats.extensions):
            function.cache_clear()
