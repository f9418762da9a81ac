"""RevNet-50."""

from typing import TYPE_CHECKING, Any

from rotkeras.arguments.accepted import Channels, Positive, Spreads, Width
from rotkeras.arguments.checked import checked
from rotkeras.backbones import units
from rotkeras.backbones.units import IMAGENET_MEAN, IMAGENET_STANDARD_DEVIATION, Stem

if TYPE_CHECKING:
    import keras

_UNITS = (3, 4, 6, 3)
"""Residual units of each stage."""


@checked
def revnet50(
    width: Width = 1.0,
    stem: Stem = "auto",
    input_shape: tuple[Positive, Positive, Positive] = (224, 224, 3),
    mean: Channels = IMAGENET_MEAN,
    standard_deviation: Spreads = IMAGENET_STANDARD_DEVIATION,
    synchronized_batch_norm: bool = False,
) -> "keras.Model":
    """RevNet-50 with taps `stage1` … `stage4`: a flat functional model of stock layers.

    The channels are two halves. Each unit adds a function of one half to the other, so that no unit
    loses anything, and the shortcuts have no weights. Activations are kept for the backward pass as
    in any network: what this family is used for here are its features, the best of Kolesnikov et
    al., not its memory.

    Args:
        width: multiplies every number of filters, rounded up to a multiple of 8 (1.0 as published).
        stem: photo has a 7×7 convolution of stride 2 and a max-pool, small a 3×3 convolution of
            stride 1; auto takes small for images of at most 64 pixels.
        input_shape: (H, W, 3), each side at least 8.
        mean: of each channel in 0 … 255, subtracted inside the model.
        standard_deviation: of each channel in 0 … 255, divided by inside the model.
        synchronized_batch_norm: batch statistics over all replicas of a `MirroredStrategy` instead
            of each its own.

    Input shape:
        uint8 (B, H, W, 3), values 0 … 255.

    Output shape:
        (B, H/32, W/32, 2048·width) with stem photo, (B, H/8, W/8, 2048·width) with stem small.

    Raises:
        UserError: for a width or input shape that cannot be built.

    Reference:
        Gomez, Ren, Urtasun, Grosse, The Reversible Residual Network, NeurIPS 2017; as in
        Kolesnikov, Zhai, Beyer, Revisiting Self-Supervised Visual Representation Learning, CVPR
        2019: at a new stage both halves are pooled by the stride and their channels doubled with
        zeros; there is no ReLU behind the last norm.
    """
    import keras

    units.check_shape(input_shape, 8)
    inputs, x = units.images(input_shape, mean, standard_deviation)
    small = units.is_small(stem, input_shape)
    base = units.scaled(64, width)
    x = units.convolve(x, base, 3 if small else 7, "stem_conv", 1 if small else 2)
    x = units.norm_relu(x, "stem", synchronized_batch_norm)
    if not small:
        x = units.max_pool(x, 3, 2, 1, "stem_pool")
    for stage, count in enumerate(_UNITS, start=1):
        out = 4 * base * 2 ** (stage - 1)
        halves = [
            _widened(each, out // 2, 2 if stage > 1 else 1, f"stage{stage}_half{number}")
            for number, each in enumerate(keras.ops.split(x, 2, axis=-1), start=1)
        ]
        for unit in range(1, count + 1):
            name = f"stage{stage}_unit{unit}"
            moved = _residual(halves[1], out // 4, out // 2, name, synchronized_batch_norm)
            moved = keras.layers.Add(name=f"{name}_add")([halves[0], moved])
            halves = [halves[1], moved]
        x = keras.layers.Concatenate(name=f"stage{stage}_halves")(halves)
        if stage == len(_UNITS):
            x = units.norm_layer("final_norm", synchronized_batch_norm)(x)
        x = units.tap(x, f"stage{stage}")
    return keras.Model(inputs, x, name="revnet50")


def _widened(x: Any, channels: int, strides: int, name: str) -> Any:
    """A half, pooled by the strides, with zeros in place of the channels that it lacks."""
    import keras

    if strides > 1:
        x = keras.layers.AveragePooling2D(strides, padding="same", name=f"{name}_pool")(x)
    return keras.ops.pad(x, [[0, 0], [0, 0], [0, 0], [0, channels - x.shape[-1]]])


def _residual(x: Any, inside: int, out: int, name: str, synchronized: bool) -> Any:
    for number, (filters, size) in enumerate(((inside, 1), (inside, 3), (out, 1)), start=1):
        x = units.norm_relu(x, f"{name}_{number}", synchronized)
        x = units.convolve(x, filters, size, f"{name}_conv{number}")
    return x
