"""The layers of a segmenter's head: stock, with names and initial weights of their own."""

import itertools
from typing import Any

import keras

from rotkeras.backbones.taps import hashed_seed

HEAD = "segment_"
"""Before every name: a network that was read from a file may have layers of any other."""


class HeadLayers:
    """Puts the layers of a head on tensors.

    Args:
        seed: of the initial weights; None draws from Keras' global seed.
    """

    def __init__(self, seed: int | None) -> None:
        self.seed = seed
        self._numbers = itertools.count()

    def like(self, layer: keras.layers.Layer, name: str, x: Any) -> Any:
        """The output of a new layer with the settings of another.

        Args:
            layer: of Keras, with one input; its weights are not taken.
            name: of the new one.
            x: its input.
        """
        config = {**layer.get_config(), "name": HEAD + name}
        initializer = config.get("kernel_initializer")
        if self.seed is not None and initializer is not None:
            number = next(self._numbers)
            initializer["config"]["seed"] = hashed_seed(self.seed, "segmenter", number)
        return type(layer).from_config(config)(x)

    def convolve(self, x: Any, filters: int, name: str, bias: bool = False, **more: Any) -> Any:
        """A 1×1 convolution."""
        layer = keras.layers.Conv2D(filters, 1, use_bias=bias, **more)
        return self.like(layer, name, x)

    def upsample(self, x: Any, size: tuple[int, int], name: str) -> Any:
        """A map (B, h, w, C) made larger to size (H, W), whole multiples of h and w: bilinear, by
        pixel centres."""
        factors = size[0] // x.shape[1], size[1] // x.shape[2]
        if factors == (1, 1):
            return x
        layer = keras.layers.UpSampling2D(factors, interpolation="bilinear")
        return self.like(layer, name, x)
