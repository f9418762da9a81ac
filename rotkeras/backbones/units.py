"""What the families of backbones are built of: functions of symbolic tensors."""

import math
from typing import TYPE_CHECKING, Any, Literal

from rotkeras.errors import must

if TYPE_CHECKING:
    import keras

Stem = Literal["auto", "small", "photo"]

Pixels = Literal["0..255", "0..1", "-1..1"]
"""Ranges of values that a model of float images may expect."""

IMAGENET_MEAN = (123.675, 116.28, 103.53)
IMAGENET_STANDARD_DEVIATION = (58.395, 57.12, 57.375)

LARGEST_SMALL_SIDE = 64
"""Pixels of the longer side up to which `stem: auto` is small (Kolesnikov et al. 2019 use it for
images of at most this size)."""


def scaled(published: int, width: float) -> int:
    """A number of filters at a width: rounded up to a multiple of 8, at least 8."""
    return max(8, 8 * math.ceil(published * width / 8))


def check_shape(input_shape: tuple[int, ...], least: int) -> None:
    """Raise a `UserError` for a shape other than (H, W, 3) with sides of at least so many
    pixels."""
    if input_shape[2] != 3 or min(input_shape[:2]) < least:
        raise must(
            "input_shape", f"be (height, width, 3) of at least {least} pixels", tuple(input_shape)
        )


def is_small(stem: Stem, input_shape: tuple[int, ...]) -> bool:
    """Whether a network has the stem for small images."""
    if stem == "auto":
        return max(input_shape[:2]) <= LARGEST_SMALL_SIDE
    return stem == "small"


def images(
    input_shape: tuple[int, ...], mean: tuple[float, ...], deviation: tuple[float, ...]
) -> tuple[Any, Any]:
    """(the input of uint8 images, the same normalised).

    In float32 under any precision: bfloat16 would round the pixel values themselves.
    """
    import keras

    inputs = keras.Input(input_shape, dtype="uint8", name="images")
    x = keras.layers.Rescaling(
        scale=[1 / each for each in deviation],
        offset=[-m / s for m, s in zip(mean, deviation, strict=True)],
        dtype="float32",
        name="normalization",
    )(inputs)
    return inputs, x


def convolution_layer(
    filters: int, size: int, name: str, strides: int = 1, seed: int | None = None
) -> "keras.layers.Conv2D":
    """A convolution without bias, "same" for strides of 1, with normal initial weights of variance
    2 / fan-out (He et al., Delving Deep into Rectifiers, ICCV 2015)."""
    import keras

    return keras.layers.Conv2D(
        filters,
        size,
        strides=strides,
        padding="same" if strides == 1 else "valid",
        use_bias=False,
        kernel_initializer=keras.initializers.VarianceScaling(
            2.0, "fan_out", "untruncated_normal", seed=seed
        ),
        name=name,
    )


def norm_layer(name: str, synchronized: bool = False) -> "keras.layers.BatchNormalization":
    """Batch norm with momentum 0.9 and epsilon 1e-5, as in the published codes."""
    import keras

    return keras.layers.BatchNormalization(
        momentum=0.9, epsilon=1e-5, synchronized=synchronized, name=name
    )


def convolve(
    x: Any, filters: int, size: int, name: str, strides: int = 1, padding: int | None = None
) -> Any:
    """A convolution. A strided one is padded by the same number of pixels on all sides, as
    published: Keras' "same" pads an even side at its end only and so samples other pixels."""
    import keras

    pad = size // 2 if padding is None else padding
    if strides > 1 and pad:
        x = keras.layers.ZeroPadding2D(pad, name=f"{name}_pad")(x)
    return convolution_layer(filters, size, name, strides)(x)


def norm_relu(x: Any, name: str, synchronized: bool) -> Any:
    """Batch norm and ReLU."""
    import keras

    x = norm_layer(f"{name}_norm", synchronized)(x)
    return keras.layers.ReLU(name=f"{name}_relu")(x)


def max_pool(x: Any, size: int, strides: int, padding: int, name: str) -> Any:
    """A max-pool, padded by zeros on all sides: what one behind a ReLU needs."""
    import keras

    if padding:
        x = keras.layers.ZeroPadding2D(padding, name=f"{name}_pad")(x)
    return keras.layers.MaxPooling2D(size, strides, padding="valid", name=name)(x)


def tap(x: Any, name: str) -> Any:
    """A named place where features are read, see `rotkeras.backbones.taps`."""
    import keras

    return keras.layers.Identity(name=name)(x)


def fully_connected(x: Any, filters: int, names: tuple[str, ...], synchronized: bool) -> Any:
    """Fully connected layers as convolutions with taps, (B, h, w, C) -> (B, 1, 1, filters): the
    first has a kernel as large as the map."""
    import keras

    for name in names:
        height, width = x.shape[1:3]
        x = keras.layers.Conv2D(
            filters,
            (height, width),
            use_bias=False,
            kernel_initializer="he_normal",
            name=f"{name}_conv",
        )(x)
        x = tap(norm_relu(x, name, synchronized), name)
    return x
