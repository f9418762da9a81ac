import keras
import numpy as np
import pytest

from rotkeras.attention import filter_grid, filter_variety, first_filters
from rotkeras.attention.filters import describe
from rotkeras.errors import UserError

SIDE = 11


def wave(degrees, cycles_per_pixel, side=SIDE):
    """A windowed wave that runs into a direction: degrees from the x axis, counter-clockwise, with
    y upwards."""
    down, right = np.mgrid[:side, :side] - side // 2
    along = right * np.cos(np.radians(degrees)) - down * np.sin(np.radians(degrees))
    window = np.exp(-(down**2 + right**2) / (2 * 2.5**2))
    return np.repeat((window * np.cos(2 * np.pi * cycles_per_pixel * along))[..., None], 3, axis=-1)


@pytest.mark.parametrize("degrees", [0, 30, 90, 135])
@pytest.mark.parametrize("frequency", [0.2, 0.35])
def test_a_wave_has_its_orientation_and_its_frequency(degrees, frequency):
    energy, selectivity, orientation, found = (
        each[0] for each in describe(wave(degrees, frequency)[None].astype(np.float32))
    )
    assert energy == pytest.approx((wave(degrees, frequency) ** 2).sum(), rel=1e-5)
    off = (np.degrees(orientation) - degrees + 90) % 180 - 90
    assert abs(off) < 3
    assert found == pytest.approx(frequency, abs=0.03)
    assert selectivity > 0.8


def test_a_turned_filter_has_a_turned_orientation():
    filters = wave(20, 0.3)
    _, _, before, _ = describe(filters[None].astype(np.float32))
    _, _, after, _ = describe(np.rot90(filters)[None].astype(np.float32))
    assert (np.degrees(after - before)[0] - 90) % 180 == pytest.approx(0, abs=1e-3) or np.degrees(
        after - before
    )[0] == pytest.approx(-90, abs=1e-3)


def test_a_blob_prefers_no_orientation():
    down, right = np.mgrid[:SIDE, :SIDE] - SIDE // 2
    blob = np.repeat(np.exp(-(down**2 + right**2) / 8)[None, ..., None], 3, axis=-1)
    assert describe(blob.astype(np.float32))[1][0] < 0.01


def test_variety_grows_with_orientations_and_frequencies():
    same = filter_variety(np.stack([wave(40, 0.3)] * 8).astype(np.float32))
    turned = filter_variety(
        np.stack([wave(22.5 * number, 0.3) for number in range(8)]).astype(np.float32)
    )
    scaled = filter_variety(
        np.stack([wave(40, frequency) for frequency in (0.08, 0.19, 0.31, 0.45)]).astype(np.float32)
    )
    assert same.orientation_spread == same.frequency_spread == 0
    assert turned.orientation_spread == pytest.approx(1, abs=0.02)
    assert turned.frequency_spread == 0
    assert scaled.orientation_spread < 0.1
    assert scaled.frequency_spread > 0.9
    assert same.filters == 8


def test_noise_spreads_and_is_less_selective_than_edges():
    noise = np.random.default_rng(0).normal(size=(96, 5, 5, 3)).astype(np.float32)
    edges = np.stack([wave(11.25 * number, 0.3, 5) for number in range(16)]).astype(np.float32)
    assert filter_variety(noise).orientation_spread > 0.9
    assert filter_variety(edges).selectivity > 3 * filter_variety(noise).selectivity


def test_dead_filters_count_for_nothing():
    filters = np.stack([wave(40, 0.3), wave(40, 0.3), 0 * wave(0, 0.1)]).astype(np.float32)
    assert filter_variety(filters).orientation_spread == 0
    assert filter_variety(0 * filters).selectivity == 0
    assert filter_grid(0 * filters).shape[-1] == 3


def test_the_grid_goes_from_low_to_high_frequency_with_zero_in_mid_grey():
    low, high = wave(0, 0.1).astype(np.float32), -5 * wave(0, 0.4).astype(np.float32)
    grid = filter_grid(np.stack([high, low]), scale=2, columns=2)
    assert grid.shape == (2 * SIDE + 4, 2 * (2 * SIDE + 2) + 2, 3)
    expected = (
        np.round(127.5 + 127.5 * low / np.abs(low).max()).astype(np.uint8).repeat(2, 0).repeat(2, 1)
    )
    np.testing.assert_array_equal(grid[2 : 2 + 2 * SIDE, 2 : 2 + 2 * SIDE], expected)
    tile = grid[2 : 2 + 2 * SIDE, 4 + 2 * SIDE : 4 + 4 * SIDE]
    assert tile[SIDE, SIDE].tolist() == [0, 0, 0]  # its largest weight is negative
    assert grid[0].min() == 255


def test_the_first_convolution_that_sees_colours(rotation_model):
    filters = first_filters(rotation_model)
    kernel = np.asarray(rotation_model.get_layer("block1_1_conv").kernel)
    assert filters.shape == (8, 5, 5, 3)
    np.testing.assert_array_equal(filters[3], kernel[..., 3])
    grey = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(2, 3)])
    with pytest.raises(UserError, match=r"must have a Conv2D layer on three channels\."):
        first_filters(grey)


def test_the_mean_colour_of_a_filter_has_no_orientation_and_no_frequency():
    plain = wave(30, 0.3).astype(np.float32)[None]
    for mean in (0.5, 1.0):
        for before, after in zip(
            describe(plain)[1:], describe(plain + np.float32(mean))[1:], strict=True
        ):
            np.testing.assert_allclose(after, before, atol=1e-5)


def test_edges_that_are_nearly_upright_have_one_orientation():
    generator = np.random.default_rng(0)
    edges = np.stack([wave(0, 0.3) + generator.normal(0, 0.02, (SIDE, SIDE, 3)) for _ in range(32)])
    assert filter_variety(edges.astype(np.float32)).orientation_spread == 0
