"""Segmenters: a network with taps, and a head that gives each pixel a class."""

import math
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from rotkeras.arguments.accepted import Classes, Fraction, Network, Positive, Seed
from rotkeras.arguments.checked import checked
from rotkeras.errors import UserError, must
from rotkeras.transfer.segment.masks import MOST_CLASSES

if TYPE_CHECKING:
    import keras

HeadName = Literal["deeplab_v3_plus", "lr_aspp"]

_DEEPLAB_LOW, _DEEPLAB_HIGH = 4, 32
_LIGHT_LOW, _LIGHT_HIGH = 8, 16


@checked
def segmenter(
    network: Network,
    classes: Classes,
    head: HeadName = "deeplab_v3_plus",
    input_shape: tuple[Positive, Positive, Positive] | None = None,
    dropout: Fraction = 0.0,
    seed: Seed | None = None,
) -> "keras.Model":
    """A segmenter on the taps of a copy of a network.

    It is a flat functional model of stock layers for Keras' own `compile` and `fit`, with
    `rotkeras.transfer.segment.loss.loss`; its file loads with Keras alone.

    Args:
        network: a functional model with taps; its weights are copied.
        classes: how many there are, void not counted; 2 … 255.
        head: "deeplab_v3_plus", as keras-cv builds it, needs taps at strides 4 and 32; "lr_aspp"
            takes the taps nearest to strides 8 and 16, the last of each, and is small enough for
            phones.
        input_shape: (H, W, 3) of the images; None for the network's. Sides are multiples of the
            strides.
        dropout: share of the features that is dropped in training before the classes; the published
            heads drop none.
        seed: of the head's weights; None draws from Keras' global seed.

    Returns:
        uint8 (B, H, W, 3) -> float32 (B, H, W, classes), probabilities.

    Example:
        network = rotkeras.backbones.resnet(input_shape=(224, 224, 3))
        model = segmenter(network, 21, "lr_aspp", (320, 320, 3))
        model.compile("adam", loss())
        model.fit(images, masks)

    Raises:
        UserError: for a network without taps, taps at other strides than the head needs, and sides
            that are no multiples of them.

    Reference:
        Chen et al., Encoder-Decoder with Atrous Separable Convolution for Semantic Image
        Segmentation, ECCV 2018; Howard et al., Searching for MobileNetV3, ICCV 2019, section 6.4.
    """
    if classes > MOST_CLASSES:
        raise must("classes", f"be at most {MOST_CLASSES}", classes, "masks are of bytes")
    import keras

    from rotkeras.transfer.copies import copy_at
    from rotkeras.transfer.segment.deeplab import deeplab_head
    from rotkeras.transfer.segment.lr_aspp import lr_aspp_head

    inner = copy_at(network, input_shape)
    given: Any = inner.inputs[0]
    size = given.shape[1:3]
    if None in size:
        raise must("network", "have one size of images", given.shape, "give input_shape")
    maps = _maps(inner, size)
    if head == "deeplab_v3_plus":
        low, high = _at(maps, _DEEPLAB_LOW), _at(maps, _DEEPLAB_HIGH)
        if low is None or high is None:
            there = ", ".join(f"{each.name} at {each.stride}" for each in maps)
            raise UserError(
                f"deeplab_v3_plus needs taps at strides 4 and 32, and {inner.name!r} has {there},"
                f" for images of {size[0]}×{size[1]}. Use head: lr_aspp, or a network with such"
                " strides."
            )
        _check_sides(size, _DEEPLAB_HIGH, low, high)
        outputs = deeplab_head(low.tensor, high.tensor, classes, dropout, seed)
    else:
        low, high = _light_pair(maps)
        _check_sides(size, high.stride, low, high)
        outputs = lr_aspp_head(low.tensor, high.tensor, size, classes, dropout, seed)
    return keras.Model(inner.inputs[0], outputs, name="segmenter")


class _Map(NamedTuple):
    """A tap's feature map: its stride is the power of two nearest to image side over map side,
    which a side that is no multiple of it does not change."""

    name: str
    tensor: Any
    stride: int


def _maps(network: Any, size: tuple[int, int]) -> list[_Map]:
    """The taps that are maps, from the input to the output."""
    from rotkeras.backbones import taps

    found = []
    for name in taps.names(network):
        tensor = taps.output(network, name)
        if len(tensor.shape) == 4:
            ratio = math.sqrt(size[0] * size[1] / (tensor.shape[1] * tensor.shape[2]))
            found.append(_Map(name, tensor, 2 ** max(0, round(math.log2(ratio)))))
    if not found:
        raise UserError(
            f"None of the taps of {network.name!r} is a feature map; put keras.layers.Identity"
            "(name=…) behind convolutions."
        )
    return found


def _at(maps: list[_Map], stride: int) -> _Map | None:
    """The last map at a stride."""
    return next((each for each in reversed(maps) if each.stride == stride), None)


def _light_pair(maps: list[_Map]) -> tuple[_Map, _Map]:
    """The maps of LR-ASPP, low and high: the nearest to its strides, of equally near ones the
    larger stride; one map twice for a network that has no two strides."""

    def nearest(among: list[_Map], stride: int) -> _Map:
        ranks = [(abs(math.log2(each.stride / stride)), -each.stride) for each in among]
        # The last of equals.
        return among[len(among) - 1 - ranks[::-1].index(min(ranks))]

    high = nearest(maps, _LIGHT_HIGH)
    lower = [each for each in maps if each.stride < high.stride]
    return (nearest(lower, _LIGHT_LOW) if lower else high), high


def _check_sides(size: tuple[int, int], multiple: int, low: _Map, high: _Map) -> None:
    """Raise a `UserError` where maps cannot be made larger to each other and to the image by whole
    factors."""
    low_sides, high_sides = low.tensor.shape[1:3], high.tensor.shape[1:3]
    whole = all(
        side == low_side * low.stride and side == high_side * high.stride
        for side, low_side, high_side in zip(size, low_sides, high_sides, strict=True)
    )
    if not whole:
        near = [max(1, round(side / multiple)) * multiple for side in size]
        raise UserError(
            f"The sides of images must be multiples of {multiple} for this network and head, whose"
            f" maps at {high.name} are then that much smaller, got {size[0]}×{size[1]} and maps of"
            f" {high_sides[0]}×{high_sides[1]}. Use input_shape ({near[0]}, {near[1]}, 3)."
        )
