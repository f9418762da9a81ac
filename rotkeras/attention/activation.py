"""Activation attention: where the features of a tap are strong."""

import itertools
from collections.abc import Mapping, Sequence

import keras
import numpy as np
from numpy.typing import NDArray

from rotkeras.arguments.accepted import ImageBatch, TapNames
from rotkeras.arguments.checked import checked
from rotkeras.backbones import taps as taps_
from rotkeras.errors import UserError

PUBLISHED_POWERS = (1.0, 2.0, 4.0)
"""Of the first, second and third tap; deeper ones go on with the last."""

BYTES_PER_PASS = 256 * 2**20
"""About what the largest map of a pass may take."""

Powers = float | Sequence[float] | Mapping[str, float] | None


@checked
def activation_maps(
    model: keras.Model,
    images: ImageBatch,
    taps: TapNames | None = None,
    powers: Powers = None,
) -> dict[str, NDArray[np.float32]]:
    """Each activation of a tap raised to a power, and summed over the channels at every place.

    Args:
        model: a model with taps, uint8 (B, H, W, 3) in.
        images: uint8 (N, H, W, 3), values 0 … 255, of the model's size.
        taps: names of taps; None for all.
        powers: p of `|activation|^p`: one number for all taps, one for each in their order,
            {tap: p}, or None for the published ones: 1, 2, 4 for the first, second and third tap of
            the model, 4 for deeper ones.

    Returns:
        {tap: float32 (N, h, w)}, not normalised; batch norm runs in inference mode.

    Raises:
        UserError: for images of another dtype or shape, a tap that is not there, a tap without
            places, or powers that do not fit.

    Reference:
        Gidaris et al., ICLR 2018, figures 3 and 6; Zagoruyko and Komodakis, Paying More Attention
        to Attention, ICLR 2017, section 3.1.
    """
    check_images(model, images)
    maps = taps_.maps(model, taps)
    wanted = list(maps.output)
    for tap in wanted:
        if len(maps.output[tap].shape) != 4:
            raise UserError(
                f"The tap {tap!r} must be a feature map (B, h, w, C), got"
                f" {tuple(maps.output[tap].shape)}; use a tap before the pooling."
            )
    power_of = resolve_powers(taps_.names(model), wanted, powers)
    found: dict[str, list[NDArray[np.float32]]] = {tap: [] for tap in wanted}
    count = images_per_pass(maps)
    for start in range(0, len(images), count):
        # Called and not predicted: a trace costs more than the few passes that are made.
        for tap, features in maps(images[start : start + count], training=False).items():
            strength = np.abs(keras.ops.convert_to_numpy(keras.ops.cast(features, "float32")))
            found[tap].append(
                np.asarray(np.sum(strength ** power_of[tap], axis=-1, dtype=np.float64), np.float32)
            )
    return {tap: np.concatenate(parts) for tap, parts in found.items()}


def images_per_pass(model: keras.Model) -> int:
    """How many images go through a model at once: at most 64, and fewer when its maps are large."""
    sizes = [
        np.prod([side or 1 for side in layer.output.shape[1:]])
        for layer in model.layers
        if hasattr(layer.output, "shape")
    ]
    return max(1, min(64, BYTES_PER_PASS // int(4 * max(sizes, default=1))))


def network_of(model: keras.Model) -> keras.Model:
    """The flat functional network inside a model, which sees the images as the model does.

    Raises:
        UserError: for a subclassed or unbuilt model, an input that is no image, and layers in front
            of a nested network, which would be passed over.
    """
    if not getattr(model, "inputs", None):
        raise UserError(
            f"The model {model.name!r} must be a functional model; build it from keras.Input."
        )
    inner = taps_.flat(model)
    before = itertools.takewhile(
        lambda layer: not isinstance(layer, keras.Model), model.layers if inner is not model else []
    )
    if skipped := [layer.name for layer in before if not _sees_images(layer)]:
        raise UserError(
            f"The model {model.name!r} must be flat, but {', '.join(skipped)} comes before the"
            " network inside it. Build the network on the output of these layers, or pass that"
            " network and images that have been through them."
        )
    if len(inner.inputs) != 1 or len(inner.inputs[0].shape) != 4:
        raise UserError(f"The model {model.name!r} must have one input of images (B, H, W, 3).")
    return inner


def _sees_images(layer: keras.layers.Layer) -> bool:
    """Whether what comes out is the images: of an input, and of the layer that turns them inside a
    training step."""
    return isinstance(layer, keras.layers.InputLayer) or getattr(layer, "makes_views", False)


def resolve_powers(there: Sequence[str], wanted: Sequence[str], powers: Powers) -> dict[str, float]:
    """The power of each wanted tap, of a model whose taps are `there`."""
    if powers is None:
        chosen = {tap: PUBLISHED_POWERS[min(there.index(tap), 2)] for tap in wanted}
    elif isinstance(powers, Mapping):
        if missing := [tap for tap in wanted if tap not in powers]:
            raise UserError(
                f"powers must have one value for each of {', '.join(wanted)}, got none for"
                f" {', '.join(missing)}."
            )
        chosen = {tap: float(powers[tap]) for tap in wanted}
    elif isinstance(powers, int | float):
        chosen = dict.fromkeys(wanted, float(powers))
    else:
        if len(powers) != len(wanted):
            raise UserError(
                f"powers must have {len(wanted)} values, one for each of {', '.join(wanted)}, got"
                f" {len(powers)}."
            )
        chosen = dict(zip(wanted, map(float, powers), strict=True))
    for tap, power in chosen.items():
        if not 0 < power <= 16:
            raise UserError(
                f"powers must be greater than 0 and at most 16, got {power:g} for {tap}; published"
                " values are 1, 2 and 4."
            )
    return chosen


def check_images(model: keras.Model, images: NDArray[np.uint8]) -> None:
    """Raise a `UserError` unless the model can be looked into, and there are uint8 images of its
    size."""
    shape = tuple(network_of(model).inputs[0].shape[1:])
    fits = images.ndim == 4 and all(
        side in (None, other) for side, other in zip(shape, images.shape[1:], strict=True)
    )
    if images.dtype != np.uint8 or not fits or not len(images):
        wanted = ", ".join("?" if side is None else str(side) for side in shape)
        raise UserError(
            f"images must be uint8 (N, {wanted}) with N at least 1, got {images.dtype}"
            f" {images.shape}; crop, resize or convert them."
        )
