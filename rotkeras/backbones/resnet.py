"""ResNets, with the activation after the addition (version 1) or before the convolutions
(version 2)."""

from typing import TYPE_CHECKING, Any, Literal

from rotkeras.arguments.accepted import Channels, Positive, Spreads, Width
from rotkeras.arguments.checked import checked
from rotkeras.backbones import units
from rotkeras.backbones.units import IMAGENET_MEAN, IMAGENET_STANDARD_DEVIATION, Stem

if TYPE_CHECKING:
    import keras

_UNITS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3)}
"""Residual units of each stage."""


@checked
def resnet(
    depth: Literal[18, 34, 50] = 18,
    version: Literal[1, 2] = 1,
    width: Width = 1.0,
    stem: Stem = "auto",
    input_shape: tuple[Positive, Positive, Positive] = (224, 224, 3),
    mean: Channels = IMAGENET_MEAN,
    standard_deviation: Spreads = IMAGENET_STANDARD_DEVIATION,
    synchronized_batch_norm: bool = False,
) -> "keras.Model":
    """ResNet with taps `stage1` … `stage4`: a flat functional model of stock layers.

    Args:
        depth: layers with weights: 18 and 34 have units of two 3×3 convolutions, 50 of 1×1, 3×3
            and 1×1.
        version: 1 has the activation after each addition, 2 before the convolutions.
        width: multiplies every number of filters, rounded up to a multiple of 8 (1.0 as published,
            64 filters in the stem).
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
        (B, H/32, W/32, C) with stem photo, (B, H/8, W/8, C) with stem small; C is 512·width, or
        2048·width for depth 50.

    Raises:
        UserError: for a width or input shape that cannot be built.

    Reference:
        He, Zhang, Ren, Sun, Deep Residual Learning for Image Recognition, CVPR 2016 (version 1),
        and Identity Mappings in Deep Residual Networks, ECCV 2016 (version 2). The stride is in the
        3×3 convolution, as in Kolesnikov, Zhai, Beyer, CVPR 2019.
    """
    import keras

    units.check_shape(input_shape, 8)
    inputs, x = units.images(input_shape, mean, standard_deviation)
    build = _Build(version, depth == 50, synchronized_batch_norm)
    x = build.stem(x, units.scaled(64, width), units.is_small(stem, input_shape))
    for stage, count in enumerate(_UNITS[depth], start=1):
        for unit in range(1, count + 1):
            strides = 2 if stage > 1 and unit == 1 else 1
            filters = units.scaled(64, width) * 2 ** (stage - 1)
            x = build.unit(x, filters, strides, f"stage{stage}_unit{unit}")
        if version == 2 and stage == 4:
            x = units.norm_relu(x, "final", synchronized_batch_norm)
        x = units.tap(x, f"stage{stage}")
    return keras.Model(inputs, x, name=f"resnet{depth}" + ("v2" if version == 2 else ""))


class _Build:
    """The parts of a ResNet of one form."""

    def __init__(self, version: int, bottleneck: bool, synchronized: bool) -> None:
        self.version = version
        self.bottleneck = bottleneck
        self.synchronized = synchronized

    def stem(self, x: Any, filters: int, small: bool) -> Any:
        x = units.convolve(x, filters, 3 if small else 7, "stem_conv", 1 if small else 2)
        if self.version == 1:
            x = units.norm_relu(x, "stem", self.synchronized)
        return x if small else units.max_pool(x, 3, 2, 1, "stem_pool")

    def unit(self, x: Any, filters: int, strides: int, name: str) -> Any:
        """A residual unit of an output with so many filters, four times as many in a bottleneck."""
        out = filters * 4 if self.bottleneck else filters
        changes = strides > 1 or x.shape[-1] != out
        return (self._first if self.version == 1 else self._second)(
            x, self._plan(filters, out, strides), out, strides, changes, name
        )

    def _plan(self, filters: int, out: int, strides: int) -> list[tuple[int, int, int]]:
        """(filters, side of the kernel, strides) of each convolution."""
        if self.bottleneck:
            return [(filters, 1, 1), (filters, 3, strides), (out, 1, 1)]
        return [(filters, 3, strides), (out, 3, 1)]

    def _first(
        self, x: Any, plan: list[Any], out: int, strides: int, changes: bool, name: str
    ) -> Any:
        import keras

        shortcut = x
        if changes:
            shortcut = units.convolve(x, out, 1, f"{name}_shortcut", strides)
            shortcut = units.norm_layer(f"{name}_shortcut_norm", self.synchronized)(shortcut)
        for number, (filters, size, stride) in enumerate(plan, start=1):
            x = units.convolve(x, filters, size, f"{name}_conv{number}", stride)
            if number < len(plan):
                x = units.norm_relu(x, f"{name}_{number}", self.synchronized)
        x = units.norm_layer(f"{name}_{len(plan)}_norm", self.synchronized)(x)
        x = keras.layers.Add(name=f"{name}_add")([shortcut, x])
        return keras.layers.ReLU(name=f"{name}_relu")(x)

    def _second(
        self, x: Any, plan: list[Any], out: int, strides: int, changes: bool, name: str
    ) -> Any:
        import keras

        shortcut = x
        x = units.norm_relu(x, f"{name}_1", self.synchronized)
        if changes:
            shortcut = units.convolve(x, out, 1, f"{name}_shortcut", strides)
        for number, (filters, size, stride) in enumerate(plan, start=1):
            if number > 1:
                x = units.norm_relu(x, f"{name}_{number}", self.synchronized)
            x = units.convolve(x, filters, size, f"{name}_conv{number}", stride)
        return keras.layers.Add(name=f"{name}_add")([shortcut, x])
