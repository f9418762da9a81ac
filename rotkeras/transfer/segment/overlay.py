"""Pictures of masks: classes as colours over a photograph."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rotkeras.errors import UserError
from rotkeras.transfer.segment.masks import VOID

_GAP = 4
"""Pixels between the pictures of a sheet."""


def overlay(
    image: NDArray[np.uint8],
    mask: NDArray[np.uint8],
    colours: NDArray[np.uint8],
    opacity: float = 0.5,
) -> NDArray[np.uint8]:
    """A photograph with the colours of its classes over it: uint8 (H, W, 3).

    Args:
        image: uint8 (H, W, 3).
        mask: uint8 (H, W), classes; void, 255, leaves the photograph as it is.
        colours: uint8 (classes, 3), such as `rotkeras.transfer.segment.colours.voc_colours` gives.
        opacity: 0 shows the photograph alone, 1 the colours alone.

    Raises:
        UserError: for a mask of another size, or with a class that has no colour.
    """
    if mask.shape != image.shape[:2]:
        raise UserError(
            f"mask must have the height and width of the image, {image.shape[:2]}, got"
            f" {mask.shape}; resize one of them."
        )
    seen = mask != VOID
    highest = int(mask[seen].max(initial=0))
    if highest >= len(colours):
        raise UserError(
            f"colours must have one for each class, got {len(colours)}, and the mask has the class"
            f" {highest}; use voc_colours({highest + 1})."
        )
    made = image.copy()
    mixed = (1 - opacity) * image[seen] + opacity * colours[mask[seen]]
    made[seen] = np.floor(mixed + 0.5).astype(np.uint8)
    return made


def sheet(
    images: Sequence[NDArray[np.uint8]],
    truths: Sequence[NDArray[np.uint8]],
    predictions: Sequence[NDArray[np.uint8]],
    colours: NDArray[np.uint8],
) -> NDArray[np.uint8]:
    """Rows of photograph, truth over it, and prediction over it, as one picture on white.

    Args:
        images: uint8 (H, W, 3) each, at least one, all of one size.
        truths: uint8 (H, W) each.
        predictions: uint8 (H, W) each.
        colours: see `overlay`.

    Returns:
        uint8 (N·H + 4·(N − 1), 3·W + 8, 3).

    Raises:
        UserError: for unequal numbers or sizes, and as `overlay` does.
    """
    counts = len(images), len(truths), len(predictions)
    sizes = {image.shape for image in images}
    if len(set(counts)) > 1 or len(sizes) != 1:
        raise UserError(
            "A sheet must have as many images as truths and predictions, at least one, and images"
            f" of one size, got {counts[0]}, {counts[1]} and {counts[2]} of the sizes"
            f" {sorted(sizes)}; resize them first."
        )
    height, width, _ = images[0].shape
    rows, columns = height + _GAP, width + _GAP
    made = np.full((rows * len(images) - _GAP, columns * 3 - _GAP, 3), 255, np.uint8)
    for row, (image, truth, prediction) in enumerate(zip(images, truths, predictions, strict=True)):
        pictures = image, overlay(image, truth, colours), overlay(image, prediction, colours)
        for column, picture in enumerate(pictures):
            top, left = row * rows, column * columns
            made[top : top + height, left : left + width] = picture
    return made
