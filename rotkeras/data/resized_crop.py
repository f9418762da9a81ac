"""Random resized crops, by Pillow on the host and by `keras.ops` inside the step.

Both resample with a triangle filter that is widened where the crop is reduced (bilinear with
antialiasing), from the drawn box alone, so they agree within one grey level.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from rotkeras.arguments.accepted import Range, ShareRange, Side
from rotkeras.arguments.checked import checked
from rotkeras.data import keyed
from rotkeras.data.keyed import Key

Tensor = Any

_TRIES = 10
_STREAMS = np.arange(40, 40 + 2 * _TRIES + 3)
"""Streams of randomness: areas, aspect ratios, top, left and flip."""

WHOLE = 2**16
"""Boxes are drawn in this fraction of the sides, as integers."""


@checked
def random_resized_crop(
    size: Side | None = None,
    scale: ShareRange = (0.08, 1.0),
    ratio: Range = (3 / 4, 4 / 3),
    flip: bool = True,
    keep_shape: bool = False,
) -> "RandomResizedCrop":
    """Cut a box of random area and aspect ratio, resize it (bilinear, antialiased), and flip half
    of the images.

    Up to ten areas and aspect ratios are drawn until the box fits into the image; otherwise it is
    the largest centred box of an allowed ratio. The box is of whole pixels, and nothing outside of
    it is seen.

    Images of a batch have one shape, and the ratio is a share of theirs. Photographs that stay
    encoded have shapes of their own, and the ratio is that of pixels, unless `keep_shape` is true.

    Args:
        size: pixels of each side of the result; None keeps the height and width of the images.
        scale: least and greatest area of the box, as a share of the image.
        ratio: least and greatest aspect ratio of the box, drawn uniformly in its logarithm.
        flip: whether to flip.
        keep_shape: whether the ratio is a share of that of the photograph too, so that a crop of
            ratio 1 has the shape of its photograph, and is resized without keeping it.

    Reference:
        Szegedy et al., Going Deeper with Convolutions, CVPR 2015, section 6; the definition of
        RandomResizedCrop in the documentation of torchvision 0.24.
    """
    return RandomResizedCrop(size, scale, ratio, flip, keep_shape)


class RandomResizedCrop:
    """See `random_resized_crop`."""

    in_numpy = True
    in_step = True
    undrawn = (0, 0, WHOLE, WHOLE, 0)

    def __init__(
        self,
        size: int | None,
        scale: tuple[float, float],
        ratio: tuple[float, float],
        flip: bool,
        keep_shape: bool = False,
    ) -> None:
        self.size = size
        self.scale = (float(scale[0]), float(scale[1]))
        self.ratio = (float(ratio[0]), float(ratio[1]))
        self.flip = flip
        self.keep_shape = keep_shape

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {
            "size": self.size,
            "scale": self.scale,
            "ratio": self.ratio,
            "flip": self.flip,
            "keep_shape": self.keep_shape,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "RandomResizedCrop":
        """The augmentation of a config."""
        pairs = {name: tuple(config[name]) for name in ("scale", "ratio")}
        return cls(**{**config, **pairs})

    def draw(self, key: Key) -> Any:
        """(top, left, height, width, flip) of each image, the first four in 1/65,536 of the side of
        the image: int32 (B, 5)."""
        if isinstance(key.index, np.ndarray):
            return self._draw(key.seed, key.epoch, key.index)
        import tensorflow as tf

        drawn = tf.numpy_function(self._draw, [*key[:3]], tf.int32, stateful=False)
        return tf.ensure_shape(drawn, (key.index.shape[0], 5))

    def boxes(
        self, key: Key, sides: NDArray[np.int32]
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Boxes of photographs of several shapes, whose aspect ratio is that of pixels, or with
        `keep_shape` a share of theirs.

        Args:
            key: of NumPy values.
            sides: (B, 2), height and width.

        Returns:
            ((B, 4): top, left, height and width as shares of the sides, (B,): whether to flip).
        """
        shapes = np.asarray(sides, np.float64)
        ratios = np.ones(len(shapes)) if self.keep_shape else shapes[:, 0] / shapes[:, 1]
        drawn = self._boxes(key.seed, key.epoch, key.index, ratios)
        return drawn[0], drawn[1]

    def _draw(self, seed: Any, epoch: Any, index: NDArray[np.int64]) -> NDArray[np.int32]:
        boxes, flips = self._boxes(seed, epoch, index, np.ones(len(index)))
        drawn = np.empty((len(boxes), 5), np.int32)
        drawn[:, :4] = np.rint(boxes * WHOLE)
        drawn[:, :2] = np.minimum(drawn[:, :2], WHOLE - drawn[:, 2:4])
        drawn[:, 4] = flips
        return drawn

    def _boxes(
        self, seed: Any, epoch: Any, index: NDArray[np.int64], height_to_width: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        bits = keyed.mix(seed, epoch, _STREAMS, np.asarray(index)[:, None]) >> np.uint64(11)
        unit = bits.astype(np.float64) / 2**53
        areas = self.scale[0] + unit[:, :_TRIES] * (self.scale[1] - self.scale[0])
        low, high = (math.log(each) for each in self.ratio)
        # Of shares of the sides, which is the ratio of pixels where images are square.
        aspects = np.exp(low + unit[:, _TRIES : 2 * _TRIES] * (high - low))
        aspects = aspects * height_to_width[:, None]
        heights, widths = np.sqrt(areas / aspects), np.sqrt(areas * aspects)
        fits = (heights <= 1) & (widths <= 1)
        first, rows = fits.argmax(axis=1), np.arange(len(unit))
        found = fits.any(axis=1)
        # The allowed ratio that is nearest to that of the image, in shares of its sides.
        nearest = np.clip(1 / height_to_width, *self.ratio) * height_to_width
        height = np.where(found, heights[rows, first], np.minimum(1.0, 1 / nearest))
        width = np.where(found, widths[rows, first], np.minimum(1.0, nearest))
        top = np.where(found, unit[:, -3], 0.5) * (1 - height)
        left = np.where(found, unit[:, -2], 0.5) * (1 - width)
        boxes = np.stack([top, left, height, width], axis=1)
        return boxes, (unit[:, -1] >= 0.5) & self.flip

    def apply(self, images: Tensor, drawn: Tensor) -> Tensor:
        """The crops inside the step, by `keras.ops`: uint8 (B, H, W, 3) to (B, S, S, 3)."""
        from keras import ops

        height, width = images.shape[1:3]
        top, rows = _pixels(drawn[:, 0], drawn[:, 2], height, ops)
        left, columns = _pixels(drawn[:, 1], drawn[:, 3], width, ops)
        rows = _weights(top, rows, height, self.size or height)
        columns = _weights(left, columns, width, self.size or width)
        columns = ops.where(drawn[:, 4, None, None] == 1, ops.flip(columns, axis=1), columns)
        values = ops.cast(images, "float32")
        # Pillow rounds between the two directions as well, and halves up.
        cut = ops.floor(ops.einsum("bxw,bhwc->bhxc", columns, values) + 0.5)
        cut = ops.floor(ops.einsum("byh,bhxc->byxc", rows, cut) + 0.5)
        return ops.cast(ops.clip(cut, 0.0, 255.0), "uint8")

    def __call__(self, images: Tensor, key: Key) -> Tensor:
        """Crops of images: arrays of arrays, tensors of tensors."""
        drawn = self.draw(key)
        if isinstance(images, np.ndarray):
            return self.cut(images, drawn)
        import tensorflow as tf

        made = tf.numpy_function(self.cut, [images, drawn], tf.uint8, stateful=False)
        return tf.ensure_shape(
            made,
            (images.shape[0], self.size or images.shape[1], self.size or images.shape[2], 3),
        )

    def cut(self, images: NDArray[np.uint8], drawn: NDArray[np.int32]) -> NDArray[np.uint8]:
        """The crops on the host, by Pillow."""
        count, height, width, _ = images.shape
        size = (self.size or width, self.size or height)
        made = np.empty((count, size[1], size[0], 3), np.uint8)
        top, rows = _pixels(drawn[:, 0].astype(np.int64), drawn[:, 2], height, np)
        left, columns = _pixels(drawn[:, 1].astype(np.int64), drawn[:, 3], width, np)
        edges = np.stack([left, top, left + columns, top + rows], axis=1).tolist()
        flips = drawn[:, 4].tolist()
        for number in range(count):
            whole = Image.fromarray(images[number])
            cut = whole.crop(edges[number]).resize(size, Image.Resampling.BILINEAR)
            made[number] = np.asarray(cut)[:, ::-1] if flips[number] else np.asarray(cut)
        return made


def _weights(begin: Tensor, length: Tensor, side: int, size: int) -> Tensor:
    """How much each pixel of a side counts in each pixel of the result: float32 (B, size, side).

    Args:
        begin: int32 (B,), the first pixel of the box.
        length: int32 (B,), its pixels.
        side: pixels of the image.
        size: pixels of the result.
    """
    from keras import ops

    begin, length = ops.cast(begin, "float32"), ops.cast(length, "float32")
    step = length / size
    centre = begin[:, None] + (ops.arange(size, dtype="float32") + 0.5) * step[:, None]
    reach = ops.maximum(step, 1.0)[:, None, None]
    places = ops.arange(side, dtype="float32") + 0.5
    weights = ops.maximum(1.0 - ops.abs(places - centre[:, :, None]) / reach, 0.0)
    inside = ops.logical_and(places > begin[:, None], places < (begin + length)[:, None])
    weights = weights * ops.cast(inside, "float32")[:, None]
    return weights / ops.sum(weights, axis=2, keepdims=True)


def _pixels(begin: Tensor, share: Tensor, side: int, library: Any) -> tuple[Tensor, Tensor]:
    """(first pixel, pixels) of a box whose begin and length are drawn in 1/65,536 of a side: whole
    numbers, the length at least 1 and the box within the side."""
    half = WHOLE // 2
    length = library.maximum((share * side + half) // WHOLE, 1)
    return library.minimum((begin * side + half) // WHOLE, side - length), length
