"""Tiles: a grid by hand, where tiles may lie, and the same inside the step."""

import numpy as np
import pytest
from keys import key_of

from rotkeras import UserError
from rotkeras.data.resized_crop import WHOLE
from rotkeras.pretext.tile_colours import Colours
from rotkeras.pretext.tiles import Axis, Tiles, axis_of

PLAIN = Colours(0.0, 0.0, False)


def numbered(height, width, count=1):
    """Images whose pixels say where they are: (row, column, number of the image)."""
    made = np.zeros((count, height, width, 3), np.uint8)
    made[..., 0] = np.arange(height)[None, :, None]
    made[..., 1] = np.arange(width)[None, None]
    made[..., 2] = np.arange(count)[:, None, None]
    return made


def test_an_image_of_six_pixels_by_hand():
    # Cells of 2, no gap: tile 5 is the last row but two, and the last two columns.
    image = np.arange(108, dtype=np.uint8).reshape(1, 6, 6, 3)
    made = Tiles(0.0, 0.0, PLAIN).cut(image, np.zeros((1, 0), np.int32))
    assert made.shape == (1, 9, 2, 2, 3)
    red = made[0, :, :, :, 0] // 3  # pixels by their number, 0 … 35
    np.testing.assert_array_equal(
        red,
        [
            [[0, 1], [6, 7]],
            [[2, 3], [8, 9]],
            [[4, 5], [10, 11]],
            [[12, 13], [18, 19]],
            [[14, 15], [20, 21]],
            [[16, 17], [22, 23]],
            [[24, 25], [30, 31]],
            [[26, 27], [32, 33]],
            [[28, 29], [34, 35]],
        ],
    )


def test_half_a_gap_leaves_one_pixel_that_may_lie_at_two_places():
    image = np.arange(108, dtype=np.uint8).reshape(1, 6, 6, 3)
    tiles = Tiles(0.5, 1.0, PLAIN)
    drawn = np.zeros((1, 20), np.int32)
    drawn[0, 2 + 2 * 4] = WHOLE - 1  # the tile in the centre lies low
    made = tiles.cut(image, drawn)
    assert made.shape == (1, 9, 1, 1, 3)
    np.testing.assert_array_equal(made[0, :, 0, 0, 0] // 3, [0, 2, 4, 12, 14 + 6, 16, 24, 26, 28])


@pytest.mark.parametrize(
    ("side", "gap", "jitter", "expected"),
    [
        (255, 0.25, 1.0, Axis(85, 63, 0, 0, 22)),
        (32, 0.25, 1.0, Axis(10, 7, 2, 0, 3)),
        (32, 0.25, 0.0, Axis(10, 7, 2, 1, 0)),
        (32, 0.0, 1.0, Axis(10, 10, 2, 0, 0)),
        (96, 0.25, 0.5, Axis(32, 24, 0, 2, 4)),
        (30, 0.9, 0.0, Axis(10, 1, 0, 4, 0)),  # (1 − 0.9) · 10 is 0.9999999999999998
        (7, 0.0, 0.0, Axis(2, 2, 1, 0, 0)),
    ],
)
def test_the_grid_of_a_side(side, gap, jitter, expected):
    assert axis_of(side, gap, jitter) == expected


@pytest.mark.parametrize(("height", "width"), [(32, 32), (34, 50), (24, 31)])
@pytest.mark.parametrize("jitter", [0.0, 0.5, 1.0])
def test_tiles_lie_in_their_cells_and_their_pixels_are_of_the_image(height, width, jitter):
    images, tiles = numbered(height, width, 200), Tiles(0.3, jitter, PLAIN)
    made = tiles.cut(images, tiles.draw(key_of(200)))
    for axis, side in ((0, height), (1, width)):
        cell = side // 3
        length = made.shape[2 + axis]
        assert length == int(0.7 * cell + 1e-9)
        positions = np.moveaxis(made[..., axis], 2 + axis, 2)[:, :, :, 0].astype(int)
        begin = positions[:, :, 0]
        np.testing.assert_array_equal(positions, begin[:, :, None] + np.arange(length))
        for number in range(9):
            place = (number // 3, number % 3)[axis]
            offset = begin[:, number] - place * cell
            least, most = 0, cell - length + side % 3
            assert least <= offset.min()
            assert offset.max() <= most
            if jitter == 1.0:  # every place is taken, and the first and last too
                assert set(offset) == set(range(most + 1))
            if jitter == 0.0:
                assert set(offset) == {side % 3 // 2 + (cell - length) // 2}
    assert (made[..., 2] == np.arange(200)[:, None, None, None]).all()


def test_without_jitter_neighbours_are_the_gap_apart():
    image, tiles = numbered(96, 96), Tiles(0.25, 0.0, PLAIN)
    made = tiles.cut(image, tiles.draw(key_of(1)))
    first, second = made[0, 0, 0, :, 1], made[0, 1, 0, :, 1]
    assert int(second[0]) - int(first[-1]) - 1 == 8  # a quarter of 32


def test_tiles_of_an_image_are_moved_apart_from_each_other():
    tiles = Tiles(0.25, 1.0, PLAIN)
    made = tiles.cut(numbered(96, 96, 300), tiles.draw(key_of(300)))
    begins = made[:, :, 0, 0, 0].astype(float)
    between = np.corrcoef(begins[:, :3].T)
    assert np.abs(between[np.triu_indices(3, 1)]).max() < 0.2


@pytest.mark.parametrize("jitter", [0.0, 1.0])
@pytest.mark.parametrize("dropping", [0.0, 0.5])
@pytest.mark.parametrize("chosen", [False, True])
def test_they_are_the_same_inside_the_step_and_in_a_graph(jitter, dropping, chosen):
    import tensorflow as tf

    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (6, 26, 32, 3), np.uint8)
    tiles = Tiles(0.2, jitter, Colours(0.5, dropping, True))
    drawn = tiles.draw(key_of(6))
    assert drawn.shape == (6, tiles.width)
    some = rng.integers(0, 9, (6, 2)).astype(np.int32) if chosen else None
    made = tiles.of_images(images, drawn, some)
    assert made.shape == (6 * (2 if chosen else 9), 6, 8, 3)
    assert made.dtype == np.uint8
    inside = np.asarray(tiles.apply(images, drawn, some)).astype(int)
    assert np.abs(inside - made).max() <= 1
    assert np.mean(inside != made) < 0.001
    given = [tf.constant(images), tf.constant(drawn), None if some is None else tf.constant(some)]
    graph = tf.function(tiles.of_images)(*given)
    np.testing.assert_array_equal(graph, made)
    if chosen:
        whole = tiles.of_images(images, drawn).reshape(6, 9, *made.shape[1:])
        np.testing.assert_array_equal(
            made.reshape(6, 2, *made.shape[1:]), whole[np.arange(6)[:, None], some]
        )


@pytest.mark.parametrize("jitter", [0.0, 1.0])
def test_only_the_tiles_that_are_wanted_are_cut(jitter):
    import tensorflow as tf

    images, tiles = numbered(32, 32, 6), Tiles(0.2, jitter, Colours(0.5, 0.0, True))
    drawn = tiles.draw(key_of(6))
    chosen = np.array([[4, number] for number in (0, 1, 3, 5, 7, 8)], np.int32)
    made = tiles.cut(images, drawn, chosen)
    np.testing.assert_array_equal(made, tiles.cut(images, drawn)[np.arange(6)[:, None], chosen])
    graph = tf.function(tiles.apply).get_concrete_function(
        *(tf.constant(each) for each in (images, drawn, chosen))
    )
    # Rows and columns of two tiles, and their places; of nine tiles it would be 18.
    gathers = [each for each in graph.graph.get_operations() if each.type.startswith("Gather")]
    assert len(gathers) <= 8


def test_their_places_do_not_depend_on_the_colours():
    images = numbered(32, 32, 4)
    plain, grey = Tiles(0.2, 1.0, PLAIN), Tiles(0.2, 1.0, Colours(1.0, 0.5, False))
    np.testing.assert_array_equal(
        plain.cut(images, plain.draw(key_of(4))), grey.cut(images, grey.draw(key_of(4)))
    )


@pytest.mark.parametrize(
    ("shape", "gap", "words"),
    [
        ((16, 16, 3), 0.25, r"gap must leave tiles .* 4×4 pixels, got 0\.25; .* 16×16 .* are 3×3"),
        ((64, 9, 3), 0.0, r"gap must leave tiles .*, got 0\.0; of images of 64×9 .* are 21×3"),
        ((2, 2, 3), 0.0, r"tiles are 0×0; use a smaller gap or larger images"),
    ],
)
def test_tiles_that_are_too_small_are_one_sentence(shape, gap, words):
    tiles = Tiles(gap, 0.0, PLAIN)
    images = np.zeros((2, *shape), np.uint8)
    for use in (
        lambda: tiles.shape(shape),
        lambda: tiles.of_images(images, tiles.draw(key_of(2))),
        lambda: tiles.apply(images, tiles.draw(key_of(2))),
    ):
        with pytest.raises(UserError, match=words):
            use()
    assert Tiles(0.25, 1.0, PLAIN).shape((32, 32, 3)) == (7, 7, 3)
