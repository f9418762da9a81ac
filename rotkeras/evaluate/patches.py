"""A network whose features are the mean over patches of an image."""

import math
from typing import Any

import keras

from rotkeras.arguments.accepted import Positive, Share
from rotkeras.arguments.checked import checked
from rotkeras.backbones import taps
from rotkeras.backbones.input_shape import with_input_shape
from rotkeras.errors import must
from rotkeras.pretext.tile_colours import Colours

_LEAST = 4
"""Pixels of a side of a patch: two poolings of stride 2 make them one."""


@checked
def patch_network(
    network: keras.Model, grid: Positive = 3, crop: Share = 0.75, standardize: bool = False
) -> keras.Model:
    """The network of patches that share a network's layers: what tasks of tiles are evaluated by.

    The central part of an image is cut into patches that do not overlap, each passes through the
    network, and the map of a tap is the mean of those of all patches.

    Args:
        network: a model with taps, uint8 (B, H, W, 3) in.
        grid: patches along each side.
        crop: share of the sides that the patches make up together. The published code has nine
            patches of 64 pixels, of the central 192 of 224: 3 and 0.857.
        standardize: whether each patch gets the mean 128 and the deviation 64, as tiles of a
            training with `standardize` have them.

    Returns:
        A functional model of stock layers and operations, uint8 (B, H, W, 3) -> the maps of all its
        taps, which have the names of the network's: (B, h, w, C), as large as a patch makes them.

    Raises:
        UserError: for patches of less than 4 pixels, or a network that takes no small images.

    Reference:
        Kolesnikov, Zhai, Beyer, Revisiting Self-Supervised Visual Representation Learning, CVPR
        2019, section 4.1 (evaluation of patch-based models), and its published code. There maps of
        more than 9000 numbers are pooled by their greatest value before the mean over patches; here
        whole maps are averaged, and a probe pools their mean.
    """
    inner = taps.flat(network)
    given = inner.inputs[0]
    height, width, channels = given.shape[1:]
    sides = [math.floor(round(crop * side / grid, 6)) for side in (height, width)]
    if min(sides) < _LEAST:
        raise must(
            "patches",
            f"leave patches of at least {_LEAST}×{_LEAST} pixels",
            grid,
            f"of images of {height}×{width} pixels, {grid}×{grid} of {100 * crop:g} % of the sides"
            f" are {sides[0]}×{sides[1]}",
        )
    of_patch = with_input_shape(inner, (*sides, channels), name="patches")
    images = keras.Input((height, width, channels), dtype=given.dtype, name="images")
    cuts = [_cut(side, grid * of) for side, of in zip((height, width), sides, strict=True)]
    x = keras.layers.Cropping2D((cuts[0], cuts[1]), name="central_part")(images)
    # Those of an image side by side.
    x = keras.ops.reshape(x, (-1, grid, sides[0], grid, sides[1], channels))
    x = keras.ops.transpose(x, (0, 1, 3, 2, 4, 5))
    x = keras.ops.reshape(x, (-1, *sides, channels))
    if standardize:
        x = Colours(grayscale=0.0, dropping=0.0, standardize=True).of_tensors(x, None, None)
    found = _maps_of(of_patch, x)
    means = []
    for tap in taps.names(inner):
        maps = found[tap]
        of_image = keras.ops.reshape(maps, (-1, grid * grid, *maps.shape[1:]))
        means.append(keras.layers.Identity(name=tap)(keras.ops.mean(of_image, axis=1)))
    # All taps are outputs: none is made of another.
    return keras.Model(images, means, name=f"{inner.name}_of_patches")


def _maps_of(network: keras.Model, images: Any) -> dict[str, Any]:
    """{tap: its map} of a symbolic tensor of images, by the layers of a network without its taps,
    whose names the taps of the patches have."""
    found: dict[str, Any] = {}
    there = set(taps.names(network))

    def call(layer: Any, *arguments: Any, **settings: Any) -> Any:
        if layer.name in there:
            found[layer.name] = arguments[0]
            return arguments[0]
        return layer(*arguments, **settings)

    keras.models.clone_model(
        keras.Model(network.inputs, network.outputs),
        input_tensors=[images],
        clone_function=lambda layer: layer,
        call_function=call,
    )
    return found


def _cut(side: int, kept: int) -> tuple[int, int]:
    """Pixels before and behind the central part of a side."""
    before = (side - kept) // 2
    return before, side - kept - before
