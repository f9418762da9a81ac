"""The networks of the peer: Network in Network, and those of torchvision."""

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


def build(backbone: dict[str, Any], size: int, head: list[int]) -> Any:
    """The network: float (B, 3, H, W) -> (B, the last of head); ReLU between dense layers.

    Args:
        backbone: section `backbone` of a recipe, one that `lacks` names nothing of.
        size: H and W, for the stem.
        head: units of the dense layers behind the pooled features.
    """
    from torch import nn  # type: ignore[import-not-found,unused-ignore]

    parts, channels = _FEATURES[backbone["name"]](backbone, size)
    parts += [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    for number, units in enumerate(head):
        parts += [nn.ReLU(inplace=True)] if number else []
        parts.append(nn.Linear(channels, units))
        channels = units
    return nn.Sequential(*parts)


def lacks(backbone: dict[str, Any]) -> str | None:
    """What of a section `backbone` the peer does not have; None if it has all."""
    name = backbone["name"]
    if name not in _FEATURES:
        return f"the backbone {name}: it has {', '.join(_FEATURES)}"
    if name == "resnet" and (backbone["version"] != 1 or backbone["width"] != 1.0):
        return "a resnet of another version than 1 or another width than 1.0"
    if name == "keras_applications":
        if backbone["model"] not in _TORCHVISION:
            return f"the network {backbone['model']}: it has {', '.join(_TORCHVISION)}"
        if backbone["arguments"] or backbone["activation"]:
            return f"arguments or another activation of {backbone['model']}"
    return None


def needs_torchvision(backbone: dict[str, Any]) -> bool:
    """Whether the network is one of torchvision."""
    return bool(backbone["name"] != "nin")


def _nin(backbone: dict[str, Any], size: int) -> tuple[list[Any], int]:  # noqa: ARG001
    from torch import nn

    parts: list[Any] = []
    channels = 3
    for number, block in enumerate(layers(backbone["blocks"], backbone["width"])):
        for filters, side in block:
            convolution = nn.Conv2d(channels, filters, side, padding=side // 2, bias=False)
            nn.init.normal_(convolution.weight, 0.0, math.sqrt(2 / (filters * side * side)))
            parts += [convolution, nn.BatchNorm2d(filters), nn.ReLU(inplace=True)]
            channels = filters
        if number < 2:
            parts.append((nn.MaxPool2d, nn.AvgPool2d)[number](3, stride=2, padding=1))
    return parts, channels


def _resnet(backbone: dict[str, Any], size: int) -> tuple[list[Any], int]:
    from torch import nn
    from torchvision import models  # type: ignore[import-not-found,unused-ignore]

    depth = backbone["depth"]
    network = getattr(models, f"resnet{depth}")()
    if backbone["stem"] == "small" or (backbone["stem"] == "auto" and size <= SMALL):
        network.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
        network.maxpool = nn.Identity()
    return [*network.children()][:-2], 2048 if depth == 50 else 512


def _of_torchvision(backbone: dict[str, Any], size: int) -> tuple[list[Any], int]:  # noqa: ARG001
    from torchvision import models

    name, channels = _TORCHVISION[backbone["model"]]
    return [getattr(models, name)().features], channels


SMALL = 64
"""Side of the largest images that a stem `auto` is small for."""

_TORCHVISION = {
    "MobileNetV2": ("mobilenet_v2", 1280),
    "MobileNetV3Small": ("mobilenet_v3_small", 576),
    "MobileNetV3Large": ("mobilenet_v3_large", 960),
    "EfficientNetB0": ("efficientnet_b0", 1280),
}
"""Networks of keras.applications: (name in torchvision, channels of their last map)."""

_FEATURES = {"nin": _nin, "resnet": _resnet, "keras_applications": _of_torchvision}
