"""Colour augmentations, by NumPy on the host and by `keras.ops` inside the step.

Both compute the same formulas in float32 on values from 0 to 255 and round once, at the end, so
they agree within one grey level. Each image has drawn numbers of its own.

Reference:
    the definitions of ColorJitter and RandomGrayscale in the documentation of torchvision 0.24; T.
    Chen, Kornblith, Norouzi, Hinton, A Simple Framework for Contrastive Learning of Visual
    Representations, ICML 2020, appendix A.
"""

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rotkeras.arguments.accepted import HueShift, NotNegativeNumber, Probability
from rotkeras.arguments.checked import checked
from rotkeras.data import draws
from rotkeras.data.keyed import Key

Tensor = Any
Planes = tuple[Tensor, Tensor, Tensor]
"""Red, green and blue, each (B, H, W)."""

_APPLY, _ORDER, _BRIGHTNESS, _CONTRAST, _SATURATION, _HUE = range(20, 26)
"""Streams of randomness."""

UNIT = 2**24
"""Numbers that are drawn are integers below this; divided by it, they lie in [0, 1)."""

GREY = (0.2989, 0.587, 0.114)
"""Of red, green and blue, as in ITU-R 601-2."""

_ORDERS = np.array(list(itertools.permutations(range(4))), np.int32)
_CHUNK = 32
"""Images that NumPy works on at a time: their floats stay in the cache of a core."""


class Pixelwise:
    """An augmentation that maps each image to one of the same size.

    A subclass has `draw(key) -> int32 (B, D)`, `undrawn`, the D integers that leave an image as it
    is, and `change(planes, drawn, library)`: red, green and blue, each float32 (B, H, W) from 0 to
    255, to the same, by `numpy` or `keras.ops`.
    """

    in_numpy = True
    in_step = True
    undrawn: tuple[int, ...]

    def draw(self, key: Key) -> Any:
        """What is random, on the host: int32 (B, D)."""
        raise NotImplementedError

    def change(self, planes: Planes, drawn: Tensor, library: Any) -> Planes:
        """The planes with the drawn changes."""
        raise NotImplementedError

    def changed(self, drawn: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Which images are changed at all: bool (B,)."""
        raise NotImplementedError

    def apply(self, images: Tensor, drawn: Tensor) -> Tensor:
        """The same inside the step, by `keras.ops`: uint8 (B, H, W, 3) to uint8."""
        from keras import ops

        values = ops.cast(images, "float32")
        made = self.change((values[..., 0], values[..., 1], values[..., 2]), drawn, ops)
        return ops.cast(ops.round(ops.clip(ops.stack(made, axis=-1), 0.0, 255.0)), "uint8")

    def __call__(self, images: Tensor, key: Key) -> Tensor:
        """Augmented images: arrays of arrays, tensors of tensors."""
        drawn = self.draw(key)
        if isinstance(images, np.ndarray):
            return self._numpy(images, drawn)
        import tensorflow as tf

        made = tf.numpy_function(self._numpy, [images, drawn], tf.uint8, stateful=False)
        return tf.ensure_shape(made, images.shape)

    def _numpy(self, images: NDArray[np.uint8], drawn: NDArray[np.int32]) -> NDArray[np.uint8]:
        made = images.copy()
        positions = np.flatnonzero(self.changed(drawn))
        for begin in range(0, len(positions), _CHUNK):
            some = positions[begin : begin + _CHUNK]
            # Planes: pixels of three floats take three times as long.
            values = np.moveaxis(images[some], -1, 0).astype(np.float32, order="C")
            planes = self.change((values[0], values[1], values[2]), drawn[some], np)
            for channel, plane in enumerate(planes):
                made[some, ..., channel] = np.rint(np.clip(plane, 0.0, 255.0))
        return made


class ColorJitter(Pixelwise):
    """See `color_jitter`."""

    def __init__(
        self, brightness: float, contrast: float, saturation: float, hue: float, probability: float
    ) -> None:
        self.brightness = brightness
        self.contrast = contrast
        self.saturation = saturation
        self.hue = hue
        self.probability = probability
        self.undrawn = (UNIT, 0, 0, 0, 0, 0)

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {
            "brightness": self.brightness,
            "contrast": self.contrast,
            "saturation": self.saturation,
            "hue": self.hue,
            "probability": self.probability,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "ColorJitter":
        """The augmentation of a config."""
        return cls(**config)

    def draw(self, key: Key) -> Any:
        """(whether, order, brightness, contrast, saturation, hue) of each image: int32 (B, 6)."""
        streams = (_BRIGHTNESS, _CONTRAST, _SATURATION, _HUE)
        return draws.draw(
            key, (_APPLY, UNIT), (_ORDER, len(_ORDERS)), *((each, UNIT) for each in streams)
        )

    def changed(self, drawn: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Which images are jittered."""
        return np.asarray(drawn[:, 0] < self.probability * UNIT)

    def change(self, planes: Planes, drawn: Tensor, library: Any) -> Planes:
        """The four changes in the drawn order."""
        factors = [
            _factor(drawn[:, 2 + number], strength, library)
            for number, strength in enumerate((self.brightness, self.contrast, self.saturation))
        ]
        unit = _column(drawn[:, 5], library) / np.float32(UNIT)
        shift = (unit * np.float32(2.0) - np.float32(1.0)) * np.float32(self.hue)
        amounts = [*factors, shift]
        steps = [_brightness, _contrast, _saturation, _shift_hue]
        used = [self.brightness > 0, self.contrast > 0, self.saturation > 0, self.hue > 0]
        if library is np:
            orders = _ORDERS[drawn[:, 1]]
            for place in range(4):
                for number, step in enumerate(steps):
                    mine = np.flatnonzero(orders[:, place] == number)
                    if used[number] and len(mine):
                        some = step(tuple(each[mine] for each in planes), amounts[number][mine], np)
                        for plane, changed in zip(planes, some, strict=True):
                            plane[mine] = changed
            return planes
        orders = library.take(library.convert_to_tensor(_ORDERS), drawn[:, 1], axis=0)
        jittered = planes
        for place in range(4):
            before = jittered
            for number, step in enumerate(steps):
                if used[number]:
                    here = orders[:, place, None, None] == number
                    changed = step(before, amounts[number], library)
                    jittered = _choose(here, changed, jittered, library)
        whether = _column(drawn[:, 0], library) < np.float32(self.probability * UNIT)
        return _choose(whether, jittered, planes, library)


class RandomGrayscale(Pixelwise):
    """See `random_grayscale`."""

    undrawn = (UNIT,)

    def __init__(self, probability: float) -> None:
        self.probability = probability

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {"probability": self.probability}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "RandomGrayscale":
        """The augmentation of a config."""
        return cls(**config)

    def draw(self, key: Key) -> Any:
        """Whether each image becomes grey: int32 (B, 1)."""
        return draws.draw(key, (_APPLY + 100, UNIT))

    def changed(self, drawn: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Which images become grey."""
        return np.asarray(drawn[:, 0] < self.probability * UNIT)

    def change(self, planes: Planes, drawn: Tensor, library: Any) -> Planes:
        """Grey in all three channels."""
        whether = _column(drawn[:, 0], library) < np.float32(self.probability * UNIT)
        grey = _grey(planes)
        return _choose(whether, (grey, grey, grey), planes, library)


@checked
def color_jitter(
    brightness: NotNegativeNumber = 0.4,
    contrast: NotNegativeNumber = 0.4,
    saturation: NotNegativeNumber = 0.4,
    hue: HueShift = 0.1,
    probability: Probability = 0.8,
) -> ColorJitter:
    """Change brightness, contrast, saturation and hue by random amounts, in a random order.

    Args:
        brightness: the factor is drawn from 1 − brightness (at least 0) to 1 + brightness.
        contrast: the same for the distance of pixels to the mean grey of the image.
        saturation: the same for the distance of pixels to their grey.
        hue: the hue is moved by −hue to +hue, as a share of the colour circle, at most 0.5.
        probability: share of the images that are changed.

    Reference:
        Chen et al., ICML 2020, appendix A, with strength s = 0.5 as on CIFAR-10.
    """
    return ColorJitter(brightness, contrast, saturation, hue, probability)


@checked
def random_grayscale(probability: Probability = 0.2) -> RandomGrayscale:
    """Make some images grey, with three equal channels.

    Args:
        probability: share of the images that become grey.

    Reference:
        Chen et al., ICML 2020, appendix A.
    """
    return RandomGrayscale(probability)


def _column(drawn: Tensor, library: Any) -> Tensor:
    """(B,) integers as float32 (B, 1, 1)."""
    if library is np:
        return drawn.astype(np.float32)[:, None, None]
    return library.cast(drawn, "float32")[:, None, None]


def _factor(drawn: Tensor, strength: float, library: Any) -> Tensor:
    low, high = max(0.0, 1.0 - strength), 1.0 + strength
    return np.float32(low) + _column(drawn, library) * np.float32((high - low) / UNIT)


def _choose(which: Tensor, these: Planes, those: Planes, library: Any) -> Planes:
    red, green, blue = (
        library.where(which, here, there) for here, there in zip(these, those, strict=True)
    )
    return red, green, blue


def _grey(planes: Planes) -> Tensor:
    red, green, blue = (np.float32(each) for each in GREY)
    return planes[0] * red + planes[1] * green + planes[2] * blue


def _brightness(planes: Planes, factor: Tensor, library: Any) -> Planes:
    red, green, blue = (library.clip(each * factor, 0.0, 255.0) for each in planes)
    return red, green, blue


def _contrast(planes: Planes, factor: Tensor, library: Any) -> Planes:
    return _blend(planes, _mean(_grey(planes), library), factor, library)


def _mean(grey: Tensor, library: Any) -> Tensor:
    """The mean of each image, (B, 1, 1). On the host it is a sum of integers, in 1/256 of a level:
    the order in which floats are added depends on the processor."""
    if library is not np:
        return library.mean(grey, axis=(1, 2), keepdims=True)
    whole = np.rint(grey * np.float32(256)).astype(np.int32)
    total = whole.sum(axis=(1, 2), keepdims=True, dtype=np.int64)
    return (total / (256 * grey[0].size)).astype(np.float32)


def _saturation(planes: Planes, factor: Tensor, library: Any) -> Planes:
    return _blend(planes, _grey(planes), factor, library)


def _blend(planes: Planes, other: Tensor, factor: Tensor, library: Any) -> Planes:
    other = other * (np.float32(1.0) - factor)
    red, green, blue = (library.clip(each * factor + other, 0.0, 255.0) for each in planes)
    return red, green, blue


def _shift_hue(planes: Planes, shift: Tensor, library: Any) -> Planes:
    """The colours moved along the colour circle; HSV and back, as by Smith, Color Gamut Transform
    Pairs, SIGGRAPH 1978."""
    red, green, blue = planes
    value = library.maximum(library.maximum(red, green), blue)
    chroma = value - library.minimum(library.minimum(red, green), blue)
    scale = np.float32(1.0) / library.where(chroma == 0, np.float32(1.0), chroma)
    hue = library.where(
        value == red,
        (green - blue) * scale,
        library.where(
            value == green,
            (blue - red) * scale + np.float32(2.0),
            (red - green) * scale + np.float32(4.0),
        ),
    )
    hue = hue + np.float32(6.0) * shift  # from -1.6 to 8, with shifts of up to half the circle
    made = []
    for offset in (5.0, 3.0, 1.0):
        place = hue + np.float32(offset)
        place = place - np.float32(6.0) * library.floor(place * np.float32(1 / 6))
        part = library.clip(library.minimum(place, np.float32(4.0) - place), 0.0, 1.0)
        made.append(value - chroma * part)
    return made[0], made[1], made[2]
