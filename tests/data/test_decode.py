import errno
import os
import struct
import threading
import warnings

import numpy as np
import pytest
from PIL import Image

from rotkeras.data.decode import ordered_map, read_all
from rotkeras.errors import UserError
from rotkeras.images import fit, pixels, read_image

QUADRANTS = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [255, 255, 0]]], np.uint8)


def quadrants(size=16):
    return QUADRANTS.repeat(size // 2, axis=0).repeat(size // 2, axis=1)


def waves(height, width, period):
    y, x = np.mgrid[:height, :width] * (2 * np.pi / period)
    bands = [
        128 + 100 * np.sin(x + 0.7 * y),
        128 + 100 * np.cos(1.3 * y),
        128 + 80 * np.sin(2 * x - y),
    ]
    return np.rint(np.stack(bands, axis=-1)).astype(np.uint8)


def difference(first, second):
    return int(np.abs(first.astype(int) - second.astype(int)).max())


@pytest.mark.parametrize(
    ("name", "mode", "options", "tolerance"),
    [
        ("a.png", "RGB", {}, 0),
        ("a.png", "P", {}, 0),
        ("a.png", "RGBA", {}, 0),
        ("a.bmp", "RGB", {}, 0),
        ("a.gif", "P", {}, 0),
        ("a.webp", "RGB", {"lossless": True}, 0),
        ("a.jpg", "RGB", {"quality": 98, "subsampling": 0}, 4),
        ("a.jpg", "CMYK", {"quality": 98, "subsampling": 0}, 4),
    ],
)
def test_every_format_and_mode_gives_the_right_colours(tmp_path, name, mode, options, tolerance):
    Image.fromarray(quadrants()).convert(mode).save(tmp_path / name, **options)
    out = read_image(tmp_path / name, 16)
    assert out.dtype == np.uint8
    assert out.shape == (16, 16, 3)
    assert difference(out, quadrants()) <= tolerance


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.gif", "a.jpg"])
def test_greyscale_becomes_three_equal_channels(tmp_path, name):
    grey = np.repeat(np.arange(16, dtype=np.uint8)[:, None] * 15, 16, axis=1)
    Image.fromarray(grey).save(
        tmp_path / name, **({"quality": 100} if name.endswith("jpg") else {})
    )
    out = read_image(tmp_path / name, 16)
    assert difference(out, np.stack([grey] * 3, axis=-1)) <= (3 if name.endswith("jpg") else 0)


def test_16_bit_grey_is_scaled_not_clipped(tmp_path):
    grey = (np.arange(64, dtype=np.uint16).reshape(8, 8) * 1040).astype(np.uint16)
    Image.fromarray(grey).save(tmp_path / "a.png")
    assert Image.open(tmp_path / "a.png").mode.startswith("I")
    out = read_image(tmp_path / "a.png", 8)
    assert np.array_equal(out, np.stack([np.rint(grey / 257).astype(np.uint8)] * 3, axis=-1))


def test_one_bit_is_black_and_white(tmp_path):
    bits = np.indices((8, 8)).sum(axis=0) % 3 == 0
    Image.fromarray(bits).save(tmp_path / "a.png")
    assert Image.open(tmp_path / "a.png").mode == "1"
    assert np.array_equal(read_image(tmp_path / "a.png", 8), np.stack([bits * 255] * 3, axis=-1))


def test_grey_with_alpha_and_palette_with_transparency_are_read(tmp_path):
    Image.new("LA", (8, 8), (77, 0)).save(tmp_path / "la.png")
    Image.fromarray(quadrants(8)).convert("P").save(tmp_path / "p.png", transparency=0)
    assert (read_image(tmp_path / "la.png", 8) == 77).all()
    assert np.array_equal(read_image(tmp_path / "p.png", 8), quadrants(8))


@pytest.mark.parametrize("name", ["a.gif", "a.webp"])
def test_an_animation_gives_its_first_frame(tmp_path, name):
    frames = [Image.new("RGB", (8, 8), colour) for colour in ((255, 0, 0), (0, 0, 255))]
    frames[0].save(
        tmp_path / name, save_all=True, append_images=frames[1:], duration=100, lossless=True
    )
    assert Image.open(tmp_path / name).n_frames == 2
    assert (read_image(tmp_path / name, 8) == (255, 0, 0)).all()


# The transform by which a viewer turns the stored pixels upright, for each value of EXIF tag 274.
UPRIGHT = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: a.transpose(1, 0, 2)[:, ::-1],
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: a.transpose(1, 0, 2)[::-1],
}


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize("name", ["a.png", "a.jpg"])
def test_exif_orientation_is_applied(tmp_path, name, orientation):
    stored = quadrants(16)
    exif = Image.Exif()
    exif[274] = orientation
    Image.fromarray(stored).save(
        tmp_path / name,
        exif=exif,
        **({"quality": 98, "subsampling": 0} if name.endswith("jpg") else {}),
    )
    assert difference(read_image(tmp_path / name, 16), UPRIGHT[orientation](stored)) <= 4


def test_unknown_exif_orientation_is_ignored(tmp_path):
    exif = Image.Exif()
    exif[274] = 99
    Image.fromarray(quadrants()).save(tmp_path / "a.png", exif=exif)
    assert np.array_equal(read_image(tmp_path / "a.png", 16), quadrants())


@pytest.mark.parametrize("kind", [1, 2, 7], ids=["byte", "text", "undefined"])
def test_an_orientation_of_another_type_than_a_number_does_not_lose_the_image(tmp_path, kind):
    exif = struct.pack("<2sHIHHHI4sI", b"II", 42, 8, 1, 274, kind, 2, b"6\0\0\0", 0)
    Image.fromarray(quadrants()).save(tmp_path / "a.png", exif=exif)
    assert not isinstance(Image.open(tmp_path / "a.png").getexif()[274], int)
    assert np.array_equal(read_image(tmp_path / "a.png", 16), quadrants())


def test_the_square_is_cut_from_the_centre():
    wide = np.zeros((10, 30, 3), np.uint8)
    wide[:, 10:20] = np.random.default_rng(0).integers(0, 256, (10, 10, 3))
    tall = np.ascontiguousarray(wide.transpose(1, 0, 2))
    assert np.array_equal(fit(Image.fromarray(wide), 10), wide[:, 10:20])
    assert np.array_equal(fit(Image.fromarray(tall), 10), tall[10:20])


def test_an_image_of_the_right_size_is_unchanged():
    image = np.random.default_rng(0).integers(0, 256, (9, 9, 3), dtype=np.uint8)
    assert np.array_equal(fit(Image.fromarray(image), 9), image)


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (50, 1), (2, 3)])
def test_tiny_and_thin_images_are_read(shape):
    out = fit(Image.new("RGB", shape, (10, 200, 30)), 8)
    assert out.shape == (8, 8, 3)
    assert (out == (10, 200, 30)).all()


SIZES = [
    (64, 64, 32),
    (65, 65, 32),
    (64, 64, 31),
    (65, 65, 31),
    (20, 20, 33),
    (21, 21, 32),
    (48, 65, 20),
    (65, 48, 17),
    (33, 32, 32),
]


@pytest.mark.parametrize("turns", [1, 2, 3])
@pytest.mark.parametrize(("height", "width", "size"), SIZES)
@pytest.mark.parametrize("kind", ["smooth", "black and white"])
def test_resize_commutes_with_quarter_turns(kind, height, width, size, turns):
    image = waves(height, width, 40)
    if (
        kind == "black and white"
    ):  # overshoots of a sharp filter are clipped, and must be alike along both axes
        image = (np.random.default_rng(0).integers(0, 2, (height, width, 3)) * 255).astype(np.uint8)
    turned = np.ascontiguousarray(np.rot90(image, turns))
    assert (
        difference(
            np.rot90(fit(Image.fromarray(image), size), turns),
            fit(Image.fromarray(turned), size),
        )
        <= 2
    )


@pytest.mark.parametrize(("side", "size"), [(512, 32), (511, 32), (257, 16), (1001, 96)])
def test_large_jpegs_commute_with_quarter_turns(tmp_path, side, size):
    image = waves(side, side, 20 * side / size)
    upright = []
    for turns in range(4):
        Image.fromarray(np.ascontiguousarray(np.rot90(image, turns))).save(
            tmp_path / "a.jpg", quality=98, subsampling=0
        )
        upright.append(np.rot90(read_image(tmp_path / "a.jpg", size), -turns))
    assert all(difference(each, upright[0]) <= 2 for each in upright)


@pytest.mark.parametrize(("side", "size"), [(512, 32), (511, 32), (257, 16), (1001, 96)])
def test_large_jpegs_look_like_the_full_decode(tmp_path, side, size):
    image = waves(side, side, 20 * side / size)
    Image.fromarray(image).save(tmp_path / "a.jpg", quality=98, subsampling=0)
    expected = np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BICUBIC))
    assert difference(read_image(tmp_path / "a.jpg", size), expected) <= 6


@pytest.fixture
def bad_files(tmp_path):
    good = waves(40, 40, 20)
    Image.fromarray(good).save(tmp_path / "whole.jpg")
    Image.fromarray(good).save(tmp_path / "whole.png")
    for name in ("whole.jpg", "whole.png"):
        content = (tmp_path / name).read_bytes()
        (tmp_path / name.replace("whole", "cut")).write_bytes(content[: len(content) // 2])
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "text.jpg").write_text("not an image at all")
    return tmp_path


BAD = ["cut.jpg", "cut.png", "empty.jpg", "text.jpg", "missing.jpg"]


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_skipped_with_its_name_and_a_reason(bad_files, name):
    files = [bad_files / "whole.jpg", bad_files / name, bad_files / "whole.png"]
    out = np.zeros((3, 8, 8, 3), np.uint8)
    kept, bad = read_all(files, lambda path: read_image(path, 8), out)
    assert kept.tolist() == [0, 2]
    assert [each.path for each in bad] == [str(files[1])]
    assert bad[0].reason.strip()
    assert "\n" not in bad[0].reason
    assert np.array_equal(out[0], read_image(files[0], 8))
    assert np.array_equal(out[1], read_image(files[2], 8))


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_an_error_that_names_it(bad_files, name):
    with pytest.raises(UserError, match=name) as caught:
        read_all(
            [bad_files / name],
            lambda path: read_image(path, 8),
            np.zeros((1, 8, 8, 3), np.uint8),
            "error",
        )
    assert "on_bad_image" in str(caught.value)


def test_read_all_leaves_no_gaps_and_keeps_the_order():
    def read(number):
        if number % 3 == 0:
            raise OSError(f"number {number}\n is bad")
        return np.full((2, 2, 3), number, np.uint8)

    calls = []
    out = np.zeros((200, 2, 2, 3), np.uint8)
    kept, bad = read_all(range(200), read, out, progress=lambda *each: calls.append(each))
    expected = [number for number in range(200) if number % 3]
    assert kept.tolist() == expected
    assert out[: len(kept), 0, 0, 0].tolist() == expected
    assert [each.path for each in bad] == [str(number) for number in range(0, 200, 3)]
    assert bad[1].reason == "number 3 is bad"
    assert calls[-1] == (200, 200)
    assert calls == sorted(calls)


def test_read_all_without_a_message_gives_the_kind_of_error():
    def read(item):
        raise EOFError

    assert read_all(["a"], read, np.zeros((1, 2, 2, 3), np.uint8))[1][0].reason == "EOFError"


@pytest.mark.parametrize("failure", [MemoryError(), OSError(errno.EMFILE, "too many open files")])
def test_failures_of_the_system_are_no_bad_images(failure):
    """They would be remembered in a cache, and the image be missing for ever."""

    def read(item):
        raise failure

    with pytest.raises(type(failure)):
        read_all(["a"], read, np.zeros((1, 2, 2, 3), np.uint8))


def test_ordered_map_keeps_the_order_and_yields_exceptions():
    slow = threading.Event()

    def work(number):
        if number == 0:
            slow.wait(0.1)
        if number == 7:
            raise KeyError(number)
        return number * number

    results = list(ordered_map(work, iter(range(300))))
    assert isinstance(results[7], KeyError)
    assert results[:7] + results[8:] == [n * n for n in range(300) if n != 7]
    assert list(ordered_map(work, [])) == []


def test_parallel_reading_leaves_the_warning_filters_as_they_were(tmp_path, monkeypatch):
    for name in "ab":
        Image.fromarray(quadrants()).save(tmp_path / f"{name}.png")
    inside = {name: threading.Event() for name in "ab"}
    first_done = threading.Event()
    to_rgb = pixels.to_rgb

    def in_turn(image):  # both are inside at once, and the one that came first leaves first
        if threading.current_thread() is order[0]:
            inside["b"].wait(5)
        else:
            inside["b"].set()
            first_done.wait(5)
        return to_rgb(image)

    order = []

    def read(path):
        if path.stem == "b":
            inside["a"].wait(5)
        else:
            order.append(threading.current_thread())
        try:
            return read_image(path, 16)
        finally:
            if path.stem == "a":
                first_done.set()

    original_upright = pixels.upright

    def mark(image):
        inside["a"].set()
        return original_upright(image)

    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    monkeypatch.setattr(pixels, "to_rgb", in_turn)
    monkeypatch.setattr(pixels, "upright", mark)
    with warnings.catch_warnings():
        before = list(warnings.filters)
        read_all([tmp_path / "a.png", tmp_path / "b.png"], read, np.zeros((2, 16, 16, 3), np.uint8))
        assert list(warnings.filters) == before
