"""Network in Network, the CIFAR-10 backbone of the RotNet paper."""

from typing import TYPE_CHECKING

from rotkeras.arguments.accepted import Blocks, Channels, Positive, Spreads, Width
from rotkeras.arguments.checked import checked
from rotkeras.backbones import units

if TYPE_CHECKING:
    import keras

CIFAR10_MEAN = (125.3, 123.0, 113.9)
CIFAR10_STANDARD_DEVIATION = (63.0, 62.1, 66.7)


@checked
def nin(
    blocks: Blocks = 4,
    width: Width = 1.0,
    input_shape: tuple[Positive, Positive, Positive] = (32, 32, 3),
    mean: Channels = CIFAR10_MEAN,
    standard_deviation: Spreads = CIFAR10_STANDARD_DEVIATION,
    synchronized_batch_norm: bool = False,
) -> "keras.Model":
    """Network in Network with taps `conv1` … `conv<blocks>`: a flat functional model of stock
    layers.

    Args:
        blocks: 3, 4 or 5; the fourth and the fifth repeat the third.
        width: multiplies every number of filters, rounded up to a multiple of 8 (1.0 as published).
        input_shape: (H, W, 3), each side at least 8.
        mean: of each channel in 0 … 255, subtracted inside the model.
        standard_deviation: of each channel in 0 … 255, divided by inside the model.
        synchronized_batch_norm: batch statistics over all replicas of a `MirroredStrategy` instead
            of each its own.

    Input shape:
        uint8 (B, H, W, 3), values 0 … 255.

    Output shape:
        (B, H/4, W/4, 192·width): the last tap.

    Example:
        backbone = nin(blocks=4)
        backbone.get_layer("conv2").output.shape  # (None, 8, 8, 192)

    Raises:
        UserError: for another number of blocks, or a width or input shape that cannot be built.

    Reference:
        Lin, Chen, Yan, Network in Network, ICLR 2014; the layers of Gidaris et al., ICLR 2018,
        section 4.1, with batch norm momentum 0.9, epsilon 1e-5 and the initial weights of their
        published code (normal, variance 2 / fan-out).
    """
    import keras

    units.check_shape(input_shape, 8)
    inputs, x = units.images(input_shape, mean, standard_deviation)
    for block in range(1, blocks + 1):
        plan = {1: ((192, 5), (160, 1), (96, 1)), 2: ((192, 5), (192, 1), (192, 1))}.get(
            block, ((192, 3), (192, 1), (192, 1))
        )
        for number, (published, size) in enumerate(plan, start=1):
            for layer in convolution(
                units.scaled(published, width),
                size,
                f"block{block}_{number}",
                synchronized_batch_norm,
            ):
                x = layer(x)
        if block <= 2:
            # One pixel of zeros on every side and then "valid", as published. Keras' "same" pads an
            # even side at its end only and so samples other pixels. (After a ReLU, zero padding is
            # what a max-pool needs.)
            pooling = keras.layers.MaxPooling2D if block == 1 else keras.layers.AveragePooling2D
            x = keras.layers.ZeroPadding2D(1, name=f"block{block}_pad")(x)
            x = pooling(3, strides=2, padding="valid", name=f"block{block}_pool")(x)
        x = units.tap(x, f"conv{block}")
    return keras.Model(inputs, x, name=f"nin{blocks}")


def convolution(
    filters: int,
    size: int,
    name: str,
    synchronized_batch_norm: bool = False,
    seed: int | None = None,
) -> "list[keras.layers.Layer]":
    """The unit that NIN is made of: convolution without bias, batch norm, ReLU, each to be called
    in turn.

    Args:
        filters: numbers of each position of the output.
        size: side of the kernel; the padding is "same".
        name: beginning of the layers' names.
        synchronized_batch_norm: batch statistics over all replicas.
        seed: of the initial weights; None draws from Keras' global seed.
    """
    import keras

    return [
        units.convolution_layer(filters, size, f"{name}_conv", seed=seed),
        units.norm_layer(f"{name}_norm", synchronized_batch_norm),
        keras.layers.ReLU(name=f"{name}_relu"),
    ]
