"""VGG-19 with batch norm."""

from typing import TYPE_CHECKING

from rotkeras.arguments.accepted import Channels, Positive, Spreads, Width
from rotkeras.arguments.checked import checked
from rotkeras.backbones import units
from rotkeras.backbones.units import IMAGENET_MEAN, IMAGENET_STANDARD_DEVIATION

if TYPE_CHECKING:
    import keras

_STAGES = ((64, 2), (128, 2), (256, 4), (512, 4), (512, 4))
"""(filters, convolutions) of each stage."""


@checked
def vgg19_bn(
    width: Width = 1.0,
    input_shape: tuple[Positive, Positive, Positive] = (224, 224, 3),
    mean: Channels = IMAGENET_MEAN,
    standard_deviation: Spreads = IMAGENET_STANDARD_DEVIATION,
    synchronized_batch_norm: bool = False,
) -> "keras.Model":
    """VGG-19 with batch norm and taps `stage1` … `stage5`, `fc6`, `fc7`: a flat functional model of
    stock layers.

    Args:
        width: multiplies every number of filters, rounded up to a multiple of 8 (1.0 as published,
            which Kolesnikov et al. call 8).
        input_shape: (H, W, 3), each side at least 32.
        mean: of each channel in 0 … 255, subtracted inside the model.
        standard_deviation: of each channel in 0 … 255, divided by inside the model.
        synchronized_batch_norm: batch statistics over all replicas of a `MirroredStrategy` instead
            of each its own.

    Input shape:
        uint8 (B, H, W, 3), values 0 … 255.

    Output shape:
        (B, 1, 1, 4096·width): fc6 and fc7 are convolutions, the first as large as its input map. At
        a larger size with the same weights (`with_input_shape`) they give a map.

    Raises:
        UserError: for a width or input shape that cannot be built.

    Reference:
        Simonyan, Zisserman, Very Deep Convolutional Networks for Large-Scale Image Recognition,
        ICLR 2015, configuration E; with batch norm and convolutional fc6 and fc7 as in Kolesnikov,
        Zhai, Beyer, CVPR 2019.
    """
    import keras

    units.check_shape(input_shape, 32)
    inputs, x = units.images(input_shape, mean, standard_deviation)
    for stage, (published, count) in enumerate(_STAGES, start=1):
        for number in range(1, count + 1):
            name = f"stage{stage}_{number}"
            x = units.convolve(x, units.scaled(published, width), 3, f"{name}_conv")
            x = units.norm_relu(x, name, synchronized_batch_norm)
        x = units.max_pool(x, 2, 2, 0, f"stage{stage}_pool")
        x = units.tap(x, f"stage{stage}")
    x = units.fully_connected(x, units.scaled(4096, width), ("fc6", "fc7"), synchronized_batch_norm)
    return keras.Model(inputs, x, name="vgg19_bn")
