"""The published probes as lists of stock Keras layers: feature map (B, h, w, C) in, class scores
(B, classes) out."""

from typing import Any, NamedTuple

import keras

from rotkeras.backbones import taps
from rotkeras.backbones.nin import convolution

LINEAR_FEATURES = 9600
"""Most features of the linear probe; it gives the grids 12, 7, 5, 6, 6 that are published for
AlexNet's five taps."""

HIDDEN_PER_CLASS, MOST_HIDDEN = 20, 2048


class Site(NamedTuple):
    """Where a head is to be built.

    Attributes:
        shape: (h, w, C) of the tap.
        classes: how many.
        name: beginning of the layers' names.
        seed: of the initial weights.
        filters: of the convolutions of `conv`, 192 as published.
    """

    shape: tuple[int, ...]
    classes: int
    name: str = "probe"
    seed: int = 0
    filters: int = 192


def linear(site: Site) -> list[Any]:
    """Adaptive max-pool to at most 9600 numbers, batch norm without scale and offset, one dense
    layer.

    Reference:
        the linear probes of Gidaris et al., ICLR 2018, section 4.2, and their published code;
        Zhang, Isola, Efros, Colorful Image Colorization, ECCV 2016.
    """
    side, name = taps.grid(site.shape, LINEAR_FEATURES), site.name
    return [
        taps.grid_layer(side, f"{name}_pool", "max", None),
        keras.layers.Flatten(name=f"{name}_flatten"),
        keras.layers.BatchNormalization(
            momentum=0.9, epsilon=1e-5, center=False, scale=False, name=f"{name}_norm"
        ),
        _scores(site),
    ]


def nonlinear(site: Site) -> list[Any]:
    """Two hidden layers of min(20·classes, 2048) units (no bias, batch norm, ReLU), then one dense
    layer.

    Reference:
        Gidaris et al., ICLR 2018, section 4.1 (200-200-10) and table 1.
    """
    name, hidden = site.name, min(HIDDEN_PER_CLASS * site.classes, MOST_HIDDEN)
    layers: list[Any] = [keras.layers.Flatten(name=f"{name}_flatten")]
    for number in (1, 2):
        initializer = keras.initializers.HeNormal(seed=taps.hashed_seed(site.seed, "head", number))
        layers += [
            keras.layers.Dense(
                hidden, use_bias=False, kernel_initializer=initializer, name=f"{name}_dense{number}"
            ),
            keras.layers.BatchNormalization(
                momentum=0.9, epsilon=1e-5, name=f"{name}_norm{number}"
            ),
            keras.layers.ReLU(name=f"{name}_relu{number}"),
        ]
    return [*layers, _scores(site)]


def conv(site: Site) -> list[Any]:
    """The third block of Network in Network, global average pooling, one dense layer.

    On tap `conv2` of a NIN it makes the supervised network of the paper.

    Reference:
        Gidaris et al., ICLR 2018, section 4.1, table 3.
    """
    layers: list[Any] = []
    for number, size in enumerate((3, 1, 1), start=1):
        layers += convolution(
            site.filters,
            size,
            f"{site.name}_{number}",
            seed=taps.hashed_seed(site.seed, "head", number),
        )
    return [*layers, keras.layers.GlobalAveragePooling2D(name=f"{site.name}_pool"), _scores(site)]


def global_linear(site: Site) -> list[Any]:
    """Global average pooling, batch norm without scale and offset, one dense layer: what
    `global-logistic` fits, by SGD.

    Reference:
        the linear evaluation of Kolesnikov, Zhai, Beyer, Revisiting Self-Supervised Visual
        Representation Learning, CVPR 2019, section 4.1, by SGD.
    """
    name = site.name
    return [
        keras.layers.GlobalAveragePooling2D(dtype="float32", name=f"{name}_pool"),
        keras.layers.BatchNormalization(
            momentum=0.9, epsilon=1e-5, center=False, scale=False, name=f"{name}_norm"
        ),
        _scores(site),
    ]


def _scores(site: Site) -> Any:
    # Float32 under any precision, as in pre-training: a softmax of sixteen-bit scores loses digits
    # that the loss needs.
    initializer = keras.initializers.GlorotUniform(seed=taps.hashed_seed(site.seed, "head", 0))
    return keras.layers.Dense(
        site.classes, kernel_initializer=initializer, dtype="float32", name=f"{site.name}_scores"
    )


def apply(layers: list[Any], x: Any) -> Any:
    """Call layers in turn."""
    for layer in layers:
        x = layer(x)
    return x


NAMES = {
    "linear": linear,
    "nonlinear": nonlinear,
    "conv": conv,
    "global-linear": global_linear,
}
"""Trained probes by name."""
