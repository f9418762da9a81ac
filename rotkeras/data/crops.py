"""Crops of a few photographs, made once, so that a network can train on one image.

All of a crop is one map from its pixels to those of the photograph: a random box of a random
square, turned, sheared and flipped, of which the centre is shown. It is rounded to whole numbers of
1/65,536 pixel, and pixels are sampled by arithmetic of integers.

Crops are the same on every machine, and so is the fingerprint of a run: of floats nothing is asked
but sums, products, quotients and roots of single numbers, which IEEE 754 rounds alike everywhere.
Sines and exponentials of the C library, products of matrices and sums of many floats are not so.

Reference:
    Asano, Rupprecht, Vedaldi, A critical analysis of self-supervision, or what we can learn from a
    single image, ICLR 2020, section 3.1, and the published code; `Crops` says what differs.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rotkeras.arguments.accepted import (
    CropCount,
    Degrees,
    NotNegativeNumber,
    Probability,
    Seed,
    Share,
    ShareRange,
    ShearAngle,
)
from rotkeras.arguments.checked import checked
from rotkeras.data import keyed
from rotkeras.data.color import color_jitter
from rotkeras.data.keyed import Key

_OF_CROPS = 60_221
"""What makes the numbers of crops others than those of training, which may have the same seed."""
_TRIES = 10
_STREAMS = np.arange(2 * _TRIES + 7)
_RATIO = 0.28768207245178085
"""Logarithm of the greatest aspect ratio, 4 / 3; its negative is that of the least."""
_WHOLE = 2**16
_PIXELS = 2**15
"""Pixels that are sampled at a time: their numbers stay in the cache of a core."""
_SMALLEST_LEVEL = 2
"""Pixels of a side of the smallest reduced photograph."""


@checked
@dataclass(frozen=True)
class Crops:
    """Many crops of a few photographs, made once before training, in place of the photographs.

    Args:
        count: crops in all, the same number of each photograph.
        initial_crop: side of the square that a crop is taken from, as a share of the shorter side
            of the photograph; its place is random.
        scale: least and greatest area of the box in that square, as a share of it.
        rotation: largest angle by which a crop is turned, in degrees, to either side.
        shear: largest angle by which a crop is sheared, in degrees, to either side.
        flip: whether half of the crops are flipped from left to right.
        color_jitter: changes of brightness, contrast and saturation; that of hue is a quarter.
        color_probability: share of the crops whose colours are changed.
        seed: of the crops.

    Raises:
        UserError: for settings out of range.

    Example:
        crops = rotkeras.data.Crops(count=50_000)
        source = rotkeras.data.load("photograph.jpg", image_size=32, crops=crops)

    Reference:
        Asano, Rupprecht, Vedaldi, ICLR 2020, section 3.1. There a crop is resized to 1.41 times its
        size (bicubic), turned and sheared with black corners, and cut; here all is one step
        (bilinear), and a crop that would leave the photograph is moved inside. Their code does not
        flip, and draws boxes until one fits; here the box is a square after ten.
    """

    count: CropCount
    initial_crop: Share = 0.5
    scale: ShareRange = (0.002, 1.0)
    rotation: Degrees = 30.0
    shear: ShearAngle = 30.0
    flip: bool = True
    color_jitter: NotNegativeNumber = 0.4
    color_probability: Probability = 0.5
    seed: Seed = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "scale", (float(self.scale[0]), float(self.scale[1])))


class Photograph:
    """A photograph, and smaller copies of it, each half of the one before.

    Args:
        pixels: uint8 (H, W, 3).
    """

    def __init__(self, pixels: NDArray[np.uint8]) -> None:
        self.shape = pixels.shape[:2]
        self.levels = [np.ascontiguousarray(pixels)]
        while min(self.levels[-1].shape[:2]) >= 2 * _SMALLEST_LEVEL:
            self.levels.append(_halved(self.levels[-1]))


def cut(
    photograph: Photograph, crops: Crops, numbers: NDArray[np.int64], size: tuple[int, int]
) -> NDArray[np.uint8]:
    """Some crops of a photograph: a function of (the photograph, settings, number).

    Args:
        photograph: which one.
        crops: the settings.
        numbers: int64 (n,), the number of each crop among all.
        size: (h, w) of the result; of a rectangle, the middle of a crop of its longer side.

    Returns:
        uint8 (n, h, w, 3).
    """
    maps, levels = _maps(photograph, crops, numbers, size)
    made = np.empty((len(numbers), *size, 3), np.uint8)
    for level in np.unique(levels):
        mine = np.flatnonzero(levels == level)
        for some in np.array_split(mine, -(-len(mine) * size[0] * size[1] // _PIXELS)):
            made[some] = _sampled(photograph.levels[level], maps[some], size)
    if crops.color_jitter == 0 or crops.color_probability == 0:
        return made
    strength = crops.color_jitter
    jitter = color_jitter(
        strength, strength, strength, min(0.5, strength / 4), crops.color_probability
    )
    seed = keyed.mix(crops.seed, _OF_CROPS).astype(np.int64)
    return np.asarray(jitter(made, Key(seed, np.int64(0), numbers)))


def shares(count: int, photographs: int) -> list[range]:
    """The numbers of the crops of each photograph, as many of each as of the others, or one
    more."""
    edges = [number * count // photographs for number in range(photographs + 1)]
    return [range(begin, end) for begin, end in itertools.pairwise(edges)]


def _halved(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Means of 2 × 2 pixels; an odd row or column at the end is left out."""
    height, width = (each // 2 * 2 for each in pixels.shape[:2])
    rows = pixels[0:height:2].astype(np.uint16) + pixels[1:height:2]
    return ((rows[:, 0:width:2] + rows[:, 1:width:2] + np.uint16(2)) >> 2).astype(np.uint8)


def _maps(
    photograph: Photograph, crops: Crops, numbers: NDArray[np.int64], size: Sequence[int]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(int64 (n, 2, 3), int64 (n,)): of each crop the map from twice the place of a pixel, counted
    from the middle, (down, right, 1), to twice the place in the reduced photograph in 1/65,536
    pixel, and which reduction."""
    bits = keyed.mix(crops.seed, _OF_CROPS, _STREAMS, numbers[:, None]) >> np.uint64(11)
    unit = bits.astype(np.float64) / 2**53
    height, width = photograph.shape
    side = crops.initial_crop * min(height, width)
    top, left = unit[:, -7] * (height - side), unit[:, -6] * (width - side)
    tall, wide = (side * each for each in _box(crops, unit))
    centre = np.stack(
        [
            top + unit[:, -5] * (side - tall) + tall / 2,
            left + unit[:, -4] * (side - wide) + wide / 2,
        ],
        axis=1,
    )
    sine, cosine = _sine_and_cosine((2 * unit[:, -3] - 1) * crops.rotation)
    opposite, adjacent = _sine_and_cosine((2 * unit[:, -2] - 1) * crops.shear)
    lean = opposite / adjacent
    mirror = np.where(crops.flip & (unit[:, -1] < 0.5), -1.0, 1.0)
    # The box fills a square of 1.41 times the size, of which the centre is shown: so a turned one
    # is full, too.
    step = math.sqrt(2) * max(size)
    down = np.stack([cosine, -sine * mirror], axis=1) * (tall / step)[:, None]
    right = (
        np.stack([sine - lean * cosine, (cosine + lean * sine) * mirror], axis=1)
        * (wide / step)[:, None]
    )
    linear = np.stack([down, right], axis=1)
    reach = np.abs(linear[:, :, 0]) * (size[0] / 2) + np.abs(linear[:, :, 1]) * (size[1] / 2)
    limits = np.array([height, width])
    inside = np.clip(centre, np.minimum(reach, limits / 2), np.maximum(limits - reach, limits / 2))
    area = np.abs(linear[:, 0, 0] * linear[:, 1, 1] - linear[:, 0, 1] * linear[:, 1, 0])
    # The reduction whose pixels are nearest to the steps: by 2, 4, 8 … from areas of 2, 8, 32 … on.
    level = np.searchsorted(np.ldexp(2.0, 2 * np.arange(len(photograph.levels) - 1)), area)
    scale = _WHOLE / np.ldexp(1.0, level)
    offset = 2 * (inside * scale[:, None] - _WHOLE / 2)
    maps = np.concatenate([linear * scale[:, None, None], offset[:, :, None]], axis=2)
    return np.rint(maps).astype(np.int64), level.astype(np.int64)


def _box(crops: Crops, unit: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """Height and width of the boxes as shares of their square: areas and aspect ratios are drawn
    until one fits, and else the box is a square."""
    low, high = crops.scale
    areas = low + unit[:, :_TRIES] * (high - low)
    aspects = _exponential((2 * unit[:, _TRIES : 2 * _TRIES] - 1) * _RATIO)
    tall, wide = np.sqrt(areas / aspects), np.sqrt(areas * aspects)
    fits = (tall <= 1) & (wide <= 1)
    first, rows = fits.argmax(axis=1), np.arange(len(unit))
    found, square = fits.any(axis=1), np.sqrt(areas[:, 0])
    return tuple(np.where(found, each[rows, first], square) for each in (tall, wide))


def _exponential(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """e to the power of numbers from −1 to 1, by its series."""
    total = np.ones_like(values)
    for number in range(20, 0, -1):
        total = 1 + values / number * total
    return total


def _sine_and_cosine(degrees: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """Of angles up to 180 degrees, by the series of an eighth of them, which is doubled thrice."""
    angle = degrees * (math.pi / 180 / 8)
    square = angle * angle
    sine, cosine = np.ones_like(angle), np.ones_like(angle)
    for number in range(16, 0, -2):
        sine = 1 - square / (number * (number + 1)) * sine
        cosine = 1 - square / (number * (number - 1)) * cosine
    sine = angle * sine
    for _ in range(3):
        sine, cosine = 2 * sine * cosine, 1 - 2 * sine * sine
    return sine, cosine


def _sampled(
    pixels: NDArray[np.uint8], maps: NDArray[np.int64], size: tuple[int, int]
) -> NDArray[np.uint8]:
    """Bilinear samples, by integers alone: uint8 (n, h, w, 3). Beyond the photograph its edge is
    repeated."""
    height, width = pixels.shape[:2]
    rows, columns = (2 * np.arange(each, dtype=np.int64) - (each - 1) for each in size)
    places = (
        maps[:, :, 0, None, None] * rows[:, None]
        + maps[:, :, 1, None, None] * columns
        + maps[:, :, 2, None, None]
    ) >> 1
    whole = places >> 16
    parts = ((places >> 8) & 255).astype(np.int32)[..., None]
    (above, below), (before, after) = (
        (np.clip(whole[:, axis], 0, most - 1), np.clip(whole[:, axis] + 1, 0, most - 1))
        for axis, most in enumerate((height, width))
    )
    flat = pixels.reshape(-1, 3)
    down, right = parts[:, 0], parts[:, 1]

    def line(row: NDArray[np.int64]) -> NDArray[np.int32]:
        start = row * width
        one = flat.take(start + before, axis=0).astype(np.int32)
        other = flat.take(start + after, axis=0)
        return np.asarray(one * 256 + (other - one) * right)

    upper = line(above)
    value = upper * 256 + (line(below) - upper) * down
    return ((value + 2**15) >> 16).astype(np.uint8)
