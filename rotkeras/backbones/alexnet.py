"""AlexNet with batch norm, the ImageNet backbone of the RotNet paper."""

from typing import TYPE_CHECKING

from rotkeras.arguments.accepted import Channels, Positive, Spreads, Width
from rotkeras.arguments.checked import checked
from rotkeras.backbones import units
from rotkeras.backbones.units import IMAGENET_MEAN, IMAGENET_STANDARD_DEVIATION, Stem

if TYPE_CHECKING:
    import keras

_LATER = ((192, 5), (384, 3), (256, 3), (256, 3))
"""(filters, side of the kernel) of conv2 … conv5."""


@checked
def alexnet(
    width: Width = 1.0,
    stem: Stem = "auto",
    input_shape: tuple[Positive, Positive, Positive] = (224, 224, 3),
    mean: Channels = IMAGENET_MEAN,
    standard_deviation: Spreads = IMAGENET_STANDARD_DEVIATION,
    synchronized_batch_norm: bool = False,
) -> "keras.Model":
    """AlexNet with batch norm and taps `conv1` … `conv5`, `fc6`, `fc7`: a flat functional model of
    stock layers.

    The taps are read behind the ReLU and before the max-pool, as published.

    Args:
        width: multiplies every number of filters, rounded up to a multiple of 8 (1.0 as published).
        stem: photo begins with an 11×11 convolution of stride 4, small with a 5×5 one of stride 1;
            auto takes small for images of at most 64 pixels.
        input_shape: (H, W, 3), each side at least 63 with stem photo, 15 with stem small.
        mean: of each channel in 0 … 255, subtracted inside the model.
        standard_deviation: of each channel in 0 … 255, divided by inside the model.
        synchronized_batch_norm: batch statistics over all replicas of a `MirroredStrategy` instead
            of each its own.

    Input shape:
        uint8 (B, H, W, 3), values 0 … 255.

    Output shape:
        (B, 1, 1, 4096·width): fc6 and fc7 are convolutions, the first as large as its input map.

    Raises:
        UserError: for a width or input shape that cannot be built.

    Reference:
        Krizhevsky, One Weird Trick for Parallelizing Convolutional Neural Networks, 2014 (the
        numbers of filters); Gidaris, Singh, Komodakis, ICLR 2018, section 4.2, and their published
        code (batch norm in place of local response normalisation, no biases, no dropout).
    """
    import keras

    small = units.is_small(stem, input_shape)
    units.check_shape(input_shape, 15 if small else 63)
    inputs, x = units.images(input_shape, mean, standard_deviation)
    first = units.scaled(64, width)
    if small:
        x = units.convolve(x, first, 5, "conv1_conv")
    else:
        x = units.convolve(x, first, 11, "conv1_conv", strides=4, padding=2)
    x = units.tap(units.norm_relu(x, "conv1", synchronized_batch_norm), "conv1")
    x = units.max_pool(x, 3, 2, 0, "pool1")
    for number, (published, size) in enumerate(_LATER, start=2):
        x = units.convolve(x, units.scaled(published, width), size, f"conv{number}_conv")
        x = units.norm_relu(x, f"conv{number}", synchronized_batch_norm)
        x = units.tap(x, f"conv{number}")
        if number in (2, 5):
            x = units.max_pool(x, 3, 2, 0, f"pool{number}")
    x = units.fully_connected(x, units.scaled(4096, width), ("fc6", "fc7"), synchronized_batch_norm)
    return keras.Model(inputs, x, name="alexnet")
