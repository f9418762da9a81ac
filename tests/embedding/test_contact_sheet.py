import numpy as np
import pytest
from PIL import Image

from rotkeras.embedding import nearest, open_images, write_sheet
from rotkeras.embedding.contact_sheet import check_sheet_size, shorten
from rotkeras.errors import UserError

SIZE = 12  # of the encoders in conftest.py


def differs_from_white(part):
    return (np.asarray(part) != 255).any()


def test_images_stand_where_they_belong(quick_encoder, photographs, tmp_path):
    images = open_images(photographs)(SIZE)
    found = nearest(quick_encoder, images, images, k=3, most_queries=2)
    sheet = Image.open(write_sheet(found, tmp_path / "sheet.png"))
    assert (sheet.format, sheet.mode) == ("PNG", "RGB")
    expected = (
        Image.open(photographs / found.queries.names[0])
        .convert("RGB")
        .crop((5, 0, 35, 30))
        .resize((160, 160), Image.Resampling.BILINEAR)
    )
    pixels = np.asarray(sheet)
    top = next(
        row
        for row in range(sheet.height)
        if np.array_equal(pixels[row : row + 160, 28:188], np.asarray(expected))
    )
    for place, position in enumerate(found.positions[0]):
        picture = Image.fromarray(images.read(images.item(int(position)), 160))
        left = 223 + place * 174
        np.testing.assert_array_equal(
            pixels[top : top + 160, left : left + 160], np.asarray(picture)
        )
        below = sheet.crop((left, top + 162, left + 160, top + 162 + 3 * 19))
        assert differs_from_white(below)  # rank, distance, name, class


def test_a_class_that_is_the_querys_is_green(quick_encoder, tmp_path):
    array = np.random.default_rng(0).integers(0, 256, (6, SIZE, SIZE, 3), dtype=np.uint8)
    green = np.array([0x00, 0x79, 0x5C])
    for labels, expected in (([0, 0, 0, 0, 0, 0], True), ([0, 1, 1, 1, 1, 1], False)):
        images = open_images((array, labels))(SIZE)
        found = nearest(quick_encoder, images, images, k=5, most_queries=1)
        pixels = np.asarray(Image.open(write_sheet(found, tmp_path / "s.png", overwrite=True)))
        assert (pixels == green).all(axis=2).any() == expected


def test_more_than_ten_neighbours_go_on_below(quick_encoder, tmp_path):
    array = np.random.default_rng(0).integers(0, 256, (26, SIZE, SIZE, 3), dtype=np.uint8)
    images = open_images(array)(SIZE)
    heights, widths = [], []
    for k in (10, 11, 25):
        found = nearest(quick_encoder, images, images, k=k, most_queries=1)
        with Image.open(write_sheet(found, tmp_path / f"{k}.png")) as sheet:
            heights.append(sheet.height)
            widths.append(sheet.width)
    assert len(set(widths)) == 1
    assert heights[1] - heights[0] == heights[2] - heights[1] > 160


def test_small_arrays_are_enlarged_without_smoothing(quick_encoder, tmp_path):
    array = np.zeros((2, SIZE, SIZE, 3), np.uint8)
    array[0, ::2], array[1, :, ::2] = 200, 200
    images = open_images(array)(SIZE)
    found = nearest(quick_encoder, images, images, k=1, most_queries=1)
    pixels = np.asarray(Image.open(write_sheet(found, tmp_path / "s.png")))
    assert set(np.unique(pixels[68 : 68 + 160, 28:188])) == {0, 200}


def test_a_file_that_has_gone_and_odd_names_do_not_stop_it(quick_encoder, photographs, tmp_path):
    (photographs / "cat/01.png").rename(photographs / "cat" / ("日本\n[bold]{} " * 12 + ".png"))
    images = open_images(photographs)(SIZE)
    found = nearest(quick_encoder, images, images, k=11, most_queries=3)
    (photographs / "owl/08.jpg").unlink()
    assert Image.open(write_sheet(found, tmp_path / "s.png")).width == 1977


def test_nothing_to_show_beside_the_query(quick_encoder, tmp_path):
    alone = open_images(np.full((1, SIZE, SIZE, 3), 9, np.uint8))(SIZE)
    found = nearest(quick_encoder, alone, alone)
    assert Image.open(write_sheet(found, tmp_path / "s.png")).height > 200


def test_what_cannot_be_written_is_told(quick_encoder, tmp_path):
    with pytest.raises(
        UserError,
        match=(
            r"A sheet of 1000 queries with 50 neighbours each has 5000 rows of 10, and at most 100 fit\."
        ),
    ):
        check_sheet_size(1000, 50)
    check_sheet_size(10, 100)
    alone = open_images(np.zeros((1, SIZE, SIZE, 3), np.uint8))(SIZE)
    found = nearest(quick_encoder, alone, alone)
    with pytest.raises(
        UserError, match=r"must end in \.png, which chooses the format, got \.jpg\."
    ):
        write_sheet(found, tmp_path / "s.jpg")
    (tmp_path / "s.png").write_text("precious")
    with pytest.raises(UserError, match="exists already"):
        write_sheet(found, tmp_path / "s.png")
    assert (tmp_path / "s.png").read_text() == "precious"


def test_long_names_keep_their_end():
    assert shorten("short", lambda text: len(text) <= 5) == "short"
    assert shorten("a longer name.jpg", lambda text: len(text) <= 9) == "…name.jpg"
    assert shorten("line\nfeed", lambda text: True) == "line�feed"
    assert shorten("abc", lambda text: False) == "…"
