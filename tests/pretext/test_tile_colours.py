"""Grey, dropped and standardised tiles, against NumPy with loops."""

import math

import numpy as np
import pytest

from rotkeras.data.color import UNIT
from rotkeras.pretext.tile_colours import Colours, normal


@pytest.fixture
def tiles():
    return np.random.default_rng(0).integers(0, 256, (12, 5, 4, 3), np.uint8)


def both(colours, tiles, grey=None, drops=None):
    """The tiles of NumPy, which those of `keras.ops` are within one grey level of."""
    made = colours.of_arrays(tiles, grey, drops)
    inside = np.asarray(colours.of_tensors(tiles, grey, drops))
    assert made.dtype == inside.dtype == np.uint8
    assert np.abs(made.astype(int) - inside).max() <= 1
    return made


def test_a_share_is_grey_by_the_weights_of_the_three_colours(tiles):
    grey = np.array([0, UNIT - 1, UNIT // 2 - 1, UNIT // 2] * 3, np.int32)
    made = both(Colours(0.5, 0.0, False), tiles, grey)
    for tile, number in enumerate(grey):
        for row in range(5):
            for column in range(4):
                red, green, blue = tiles[tile, row, column].astype(float)
                if number < UNIT // 2:
                    level = 0.2989 * red + 0.587 * green + 0.114 * blue
                    assert np.abs(made[tile, row, column] - level).max() < 0.51
                else:
                    np.testing.assert_array_equal(made[tile, row, column], [red, green, blue])


def test_two_colours_are_replaced_by_noise_around_the_mean_of_the_third(tiles):
    drops = np.array([[0, tile % 3, 7 * tile] for tile in range(12)], np.int32)
    drops[9:, 0] = UNIT - 1
    made = both(Colours(0.0, 0.5, False), tiles, None, drops)
    np.testing.assert_array_equal(made[9:], tiles[9:])
    for tile in range(9):
        left = tile % 3
        np.testing.assert_array_equal(made[tile, ..., left], tiles[tile, ..., left])
        values = [float(each) for each in tiles[tile, ..., left].ravel()]
        mean = sum(values) / len(values)
        deviation = math.sqrt(sum((each - mean) ** 2 for each in values) / len(values))
        for other in {0, 1, 2} - {left}:
            off = made[tile, ..., other] - mean
            assert np.abs(off).max() <= 4 * deviation / 100 + 0.5


def test_the_noise_is_nearly_normal_and_of_its_seed_alone():
    made = normal(np.arange(50, dtype=np.int32), 2000, np)
    assert made.dtype == np.float32
    assert made.mean() == pytest.approx(0, abs=0.01)
    assert made.std() == pytest.approx(1, abs=0.01)
    assert np.mean(np.abs(made) < 1) == pytest.approx(0.683, abs=0.02)
    assert np.abs(np.corrcoef(made)[np.triu_indices(50, 1)]).max() < 0.11
    assert np.abs(np.corrcoef(made[:, ::2].ravel(), made[:, 1::2].ravel())[0, 1]) < 0.01
    np.testing.assert_array_equal(made[7:8], normal(np.array([7], np.int32), 2000, np))


def test_the_noise_is_the_same_on_every_backend():
    from keras import ops

    seeds = np.array([0, 1, 2**31 - 2, 123_456_789], np.int32)
    np.testing.assert_array_equal(np.asarray(normal(seeds, 999, ops)), normal(seeds, 999, np))


def test_the_hash_of_the_noise_is_that_of_its_reference():
    def lowbias32(number):
        for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B), (16, 1)):
            number ^= number >> shift
            number = number * factor % 2**32
        return number

    made = normal(np.array([5], np.int32), 40, np)[0]
    for place in range(40):
        word = lowbias32(5 ^ (place * 0x9E3779B1 % 2**32))
        total = sum(word >> 8 * byte & 255 for byte in range(4)) - 510
        assert made[place] == pytest.approx(total / math.sqrt((256**2 - 1) / 3), rel=1e-5)


def test_standardised_tiles_have_one_mean_and_deviation(tiles):
    # Of little contrast, so that nothing is clipped.
    flat = (100 + tiles // 8).astype(np.uint8)
    made = both(Colours(0.0, 0.0, True), flat)
    for tile in range(len(flat)):
        values = [float(each) for each in flat[tile].ravel()]
        mean = sum(values) / len(values)
        deviation = math.sqrt(sum((each - mean) ** 2 for each in values) / len(values))
        expected = [min(255.0, max(0.0, 128 + 64 * (each - mean) / deviation)) for each in values]
        assert np.abs(made[tile].ravel() - expected).max() <= 0.51
        assert made[tile].mean() == pytest.approx(128, abs=1)
        assert made[tile].std() == pytest.approx(64, abs=1)


def test_tiles_of_one_colour_are_grey_and_their_noise_stays_small():
    tiles = np.full((4, 8, 8, 3), 250, np.uint8)
    tiles[1] = 0
    tiles[2, 0, 0, 0] = 251  # noise of one pixel
    tiles[3] = (10, 20, 30)
    drops = np.zeros((4, 3), np.int32)
    for given in (None, drops):
        made = both(Colours(0.0, 1.0 if given is not None else 0.0, True), tiles, None, given)
        assert (made[:2] == 128).all()
        assert np.abs(made[2].astype(int) - 128).max() <= 64
    assert len(np.unique(both(Colours(0.0, 0.0, True), tiles)[3])) == 3


def test_without_any_of_them_tiles_are_as_they_were(tiles):
    assert Colours(0.0, 0.0, False).of_arrays(tiles, None, None) is tiles


def test_many_tiles_are_those_of_few(tiles):
    many = np.tile(tiles, (50, 1, 1, 1))  # more than NumPy works on at a time
    colours = Colours(0.5, 0.5, True)
    rng = np.random.default_rng(1)
    grey = rng.integers(0, UNIT, len(many)).astype(np.int32)
    drops = rng.integers(0, 3, (len(many), 3)).astype(np.int32)
    whole = colours.of_arrays(many, grey, drops)
    for tile in (0, 255, 256, 599):
        one = slice(tile, tile + 1)
        np.testing.assert_array_equal(
            colours.of_arrays(many[one], grey[one], drops[one]), whole[one]
        )
