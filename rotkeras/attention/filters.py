"""The filters of the first layer: as a picture, and how much variety there is in them."""

from dataclasses import dataclass

import keras
import numpy as np
from numpy.typing import NDArray

from rotkeras.arguments.accepted import Filters, Positive
from rotkeras.arguments.checked import checked
from rotkeras.backbones import taps
from rotkeras.errors import UserError

_GRID = 64  # points of the spectrum on a side
_ORIENTATIONS, _FREQUENCIES = 8, 4


@dataclass(frozen=True)
class FilterVariety:
    """How filters differ in orientation and frequency, each in 0 … 1.

    Attributes:
        selectivity: how strongly a filter prefers one orientation, weighted by its energy: 0 for a
            blob or a spot, towards 1 for a wave (a filter of 5×5 holds too little of one for more
            than about 0.8). Noise, as in an untrained network, has little.
        orientation_spread: entropy of the preferred orientations over eight bins, divided by its
            maximum; each filter counts by its energy times its selectivity.
        frequency_spread: entropy of the preferred frequencies over four bins between 0 and half a
            cycle per pixel, divided by its maximum; each filter counts by its energy.
        filters: how many there are.
    """

    selectivity: float
    orientation_spread: float
    frequency_spread: float
    filters: int


@checked
def first_filters(model: keras.Model) -> NDArray[np.float32]:
    """The kernels of the first convolution that sees colours: float32 (filters, k, k, 3).

    Args:
        model: any model with a `Conv2D` on three channels.

    Raises:
        UserError: when there is none.
    """
    for layer in taps.flat(model).layers:
        if isinstance(layer, keras.layers.Conv2D) and layer.kernel.shape[2] == 3:
            return np.asarray(
                np.moveaxis(keras.ops.convert_to_numpy(layer.kernel), -1, 0), np.float32
            )
    raise UserError(f"The model {model.name!r} must have a Conv2D layer on three channels.")


def describe(filters: NDArray[np.float32]) -> tuple[NDArray[np.float64], ...]:
    """Energy, selectivity, orientation and frequency of each filter, from its power spectrum
    without the mean.

    Args:
        filters: (n, k, k, 3).

    Returns:
        Four arrays (n,): energy (sum of squares), selectivity 0 … 1, orientation in 0 … π (of the
        wave's direction, from the x axis towards y, with y upwards), frequency in cycles per pixel
        0 … 0.71. Those without energy have selectivity 0.
    """
    filters = filters.astype(np.float64)
    energy = np.sum(filters**2, axis=(1, 2, 3))
    # Without its mean, which has neither orientation nor frequency: in a padded spectrum it leaks
    # into the bins around zero.
    varying = filters - filters.mean(axis=(1, 2), keepdims=True)
    power = np.sum(np.abs(np.fft.fft2(varying, s=(_GRID, _GRID), axes=(1, 2))) ** 2, axis=-1)
    down, right = np.meshgrid(np.fft.fftfreq(_GRID), np.fft.fftfreq(_GRID), indexing="ij")
    radius = np.hypot(down, right)
    angle = np.arctan2(-down, right)
    total = np.maximum(power.sum((1, 2)), 1e-30)
    frequency = np.sum(power * radius, axis=(1, 2)) / total
    # Orientation has a period of half a turn: its mean is taken at twice the angle.
    double = np.sum(power * np.exp(2j * angle), axis=(1, 2)) / total
    return energy, np.abs(double), np.angle(double) / 2 % np.pi, frequency


@checked
def filter_variety(filters: Filters) -> FilterVariety:
    """How much filters differ in orientation and frequency.

    Read the three numbers together: an untrained network spreads widely, because noise has all
    orientations, and is not selective; a network of many oriented edges is selective and spreads.

    Args:
        filters: float32 (n, k, k, 3), of `first_filters`.

    Reference:
        what figure 4 of Gidaris et al., ICLR 2018, is said to show.
    """
    energy, selectivity, orientation, frequency = describe(filters)
    weight = energy / max(energy.sum(), 1e-30)
    return FilterVariety(
        float(np.sum(weight * selectivity)),
        # Half a bin further: 0° and 180° are one orientation, the commonest, and must not lie on
        # the edge between two bins.
        _spread(orientation / np.pi + 0.5 / _ORIENTATIONS, weight * selectivity, _ORIENTATIONS),
        _spread(np.minimum(frequency / 0.5, 1 - 1e-9), weight, _FREQUENCIES),
        len(filters),
    )


@checked
def filter_grid(filters: Filters, scale: Positive = 6, columns: Positive = 16) -> NDArray[np.uint8]:
    """Filters as RGB tiles, from low to high frequency; each is scaled by its own largest weight,
    and zero is mid-grey.

    Args:
        filters: float32 (n, k, k, 3).
        scale: pixels of the picture per weight.
        columns: tiles in a row.

    Returns:
        uint8 (height, width, 3).

    Reference:
        figure 4 of Gidaris et al., ICLR 2018.
    """
    filters = filters[np.argsort(describe(filters)[3], kind="stable")]
    count, side = len(filters), filters.shape[1]
    columns = min(columns, count)
    rows = -(-count // columns)
    largest = np.maximum(np.abs(filters).max((1, 2, 3), keepdims=True), 1e-12)
    tiles = (
        np.round(127.5 + 127.5 * filters / largest)
        .astype(np.uint8)
        .repeat(scale, 1)
        .repeat(scale, 2)
    )
    gap, step = 2, side * scale + 2
    grid = np.full((rows * step + gap, columns * step + gap, 3), 255, np.uint8)
    for number, tile in enumerate(tiles):
        top, left = gap + number // columns * step, gap + number % columns * step
        grid[top : top + side * scale, left : left + side * scale] = tile
    return grid


def _spread(values: NDArray[np.float64], weights: NDArray[np.float64], bins: int) -> float:
    histogram, _ = np.histogram(values % 1.0, bins=bins, range=(0, 1), weights=weights)
    share = histogram / max(histogram.sum(), 1e-30)
    share = share[share > 0]
    return max(0.0, float(-np.sum(share * np.log(share)) / np.log(bins))) if len(share) else 0.0
