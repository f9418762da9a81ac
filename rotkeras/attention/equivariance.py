"""Equivariance: do the maps turn with the image?"""

import keras
import numpy as np
from numpy.typing import NDArray

from rotkeras.arguments.accepted import AnyImages, ImageBatch, TapNames, ViewMaps
from rotkeras.arguments.checked import checked
from rotkeras.attention.activation import Powers, activation_maps, check_images
from rotkeras.errors import UserError


@checked
def quadruples(images: AnyImages) -> NDArray[np.uint8]:
    """The four views of each image, by exact quarter turns counter-clockwise.

    Args:
        images: uint8 (N, S, S, C), square.

    Returns:
        uint8 (N, 4, S, S, C); view k is `numpy.rot90(image, k)`.

    Raises:
        UserError: when they are not square.
    """
    if images.shape[1] != images.shape[2]:
        raise UserError(
            "images must be square, so that their quarter turns have the same shape, got"
            f" {images.shape[1]}×{images.shape[2]}; crop them."
        )
    return np.stack([np.rot90(images, turns, axes=(1, 2)) for turns in range(4)], axis=1)


@checked
def equivariance_score(
    model: keras.Model,
    images: ImageBatch,
    taps: TapNames | None = None,
    powers: Powers = None,
) -> dict[str, float | None]:
    """How well the activation maps of a tap turn with the image: one number per tap.

    The maps of the four views are turned back, and each two of the six pairs correlated over their
    places (Pearson). The score is the mean over pairs and images: 1 when the maps turn exactly with
    the image, about 0 when they have nothing in common. Stride-2 pooling of an even side is not
    symmetric, so a stock network stays below 1 even where it responds to all directions alike.

    Args:
        model: a model with taps, uint8 (B, S, S, 3) in.
        images: uint8 (N, S, S, 3), values 0 … 255.
        taps: names of taps; None for all.
        powers: as in `activation_maps`.

    Returns:
        {tap: score in -1 … 1}; None for a tap with a constant map in every image, which tells
        nothing (a map of one place, say).

    Raises:
        UserError: for images that are not square, and as `activation_maps`.
    """
    return {
        tap: mean_correlation(maps)
        for tap, maps in quadruple_maps(model, images, taps, powers).items()
    }


@checked
def quadruple_maps(
    model: keras.Model,
    images: ImageBatch,
    taps: TapNames | None = None,
    powers: Powers = None,
) -> dict[str, NDArray[np.float32]]:
    """`activation_maps` of the four views of each image: uint8 (N, S, S, 3) -> {tap: float32 (N, 4,
    h, w)}."""
    check_images(model, images)
    maps = activation_maps(model, quadruples(images).reshape(-1, *images.shape[1:]), taps, powers)
    return {tap: each.reshape(len(images), 4, *each.shape[1:]) for tap, each in maps.items()}


@checked
def mean_correlation(maps: ViewMaps) -> float | None:
    """The score of maps (N, 4, h, w) of quadruples; images with a constant map among the four are
    left out."""
    turned_back = np.stack(
        [np.rot90(maps[:, turns], -turns, axes=(1, 2)) for turns in range(4)], axis=1
    )
    flat = turned_back.reshape(len(maps), 4, -1).astype(np.float64)
    flat -= flat.mean(-1, keepdims=True)
    lengths = np.linalg.norm(flat, axis=-1)
    # Rounding leaves a constant map a spread of its own: it is compared with the map's level.
    level = np.abs(turned_back).reshape(len(maps), 4, -1).max(-1) * np.sqrt(flat.shape[-1])
    telling = (lengths > 1e-6 * level).all(-1)
    if not telling.any():
        return None
    unit = flat[telling] / lengths[telling][..., None]
    correlation = unit @ unit.transpose(0, 2, 1)
    return float(correlation[:, *np.triu_indices(4, 1)].mean())
