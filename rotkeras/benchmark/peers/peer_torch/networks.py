"""Network in Network in PyTorch."""

import math
from typing import Any

MEAN = (125.3, 123.0, 113.9)
STANDARD_DEVIATION = (63.0, 62.1, 66.7)


def layers(blocks: int, width: float) -> list[list[tuple[int, int]]]:
    """(filters, side of the kernel) of each convolution, block by block; table 1 of the NIN, widths
    in steps of 8."""

    def filters(published: int) -> int:
        return max(8, math.ceil(published * width / 8) * 8)

    first = [(filters(192), 5), (filters(160), 1), (filters(96), 1)]
    later = [
        [(filters(192), side), (filters(192), 1), (filters(192), 1)]
        for side in (5, *[3] * (blocks - 2))
    ]
    return [first, *later]


def count_parameters(blocks: int, width: float, head: list[int]) -> int:
    """Trainable numbers: kernels, a scale and an offset of each channel, and the head's dense
    layers of so many units, each with its bias."""
    total, channels = 0, 3
    for filters, side in (each for block in layers(blocks, width) for each in block):
        total += filters * channels * side * side + 2 * filters
        channels = filters
    for units in head:
        total += (channels + 1) * units
        channels = units
    return total


def build(blocks: int, width: float, head: list[int]) -> Any:
    """The network: float (B, 3, H, W) -> (B, the last of head); ReLU between dense layers."""
    from torch import nn  # type: ignore[import-not-found,unused-ignore]

    parts: list[Any] = []
    channels = 3
    for number, block in enumerate(layers(blocks, width)):
        for filters, side in block:
            convolution = nn.Conv2d(channels, filters, side, padding=side // 2, bias=False)
            nn.init.normal_(convolution.weight, 0.0, math.sqrt(2 / (filters * side * side)))
            parts += [convolution, nn.BatchNorm2d(filters), nn.ReLU(inplace=True)]
            channels = filters
        if number < 2:
            parts.append((nn.MaxPool2d, nn.AvgPool2d)[number](3, stride=2, padding=1))
    parts += [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    for number, units in enumerate(head):
        parts += [nn.ReLU(inplace=True)] if number else []
        parts.append(nn.Linear(channels, units))
        channels = units
    return nn.Sequential(*parts)
