"""Chromatic aberration: by how much red and blue are shifted and enlarged against green.

A lens bends red and blue less or more than green, so their images differ in size about its optical
axis, which most photographs have in their middle. The shift in a tile then points to or from the
middle, and tells where the tile was cut from.

Reference:
    Doersch, Gupta, Efros, Unsupervised Visual Representation Learning by Context Prediction, ICCV
    2015, section 3.1.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_CLIP = 0.3
"""Of standardised planes: what differs by more is another colour, and not a shifted edge."""
_DAMPING = 0.02
"""Of the squared gradient that a shift is estimated from: flat views give small shifts."""


def lens(views: Floats) -> Floats:
    """The shift and the enlargement of red and of blue against green, as least squares estimate
    them from the gradient of green.

    With standardised planes, red(p) − green(p) ≈ ∇green(p) · (s + e·p): s the shift in pixels, e
    the enlargement, p the place from the middle of the view.

    Args:
        views: float32 (n, h, w, 3).

    Returns:
        float32 (n, 6): down, right and enlargement (times half of the side, in pixels) of red, then
        of blue.
    """
    planes = [_standardised(views[..., channel]) for channel in range(3)]
    red, green, blue = planes
    inner = slice(1, -1)
    down = (green[:, 2:, inner] - green[:, :-2, inner]) / 2
    right = (green[:, inner, 2:] - green[:, inner, :-2]) / 2
    height, width = down.shape[1:]
    rows = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    columns = np.linspace(-1, 1, width, dtype=np.float32)[None]
    slopes = np.stack([down, right, down * rows + right * columns], axis=1)
    slopes = slopes.reshape(len(views), 3, -1)
    normal = slopes @ slopes.transpose(0, 2, 1) / slopes.shape[2]
    normal += _DAMPING * np.eye(3, dtype=np.float32)
    found = []
    for plane in (red, blue):
        differs = np.clip(plane - green, -_CLIP, _CLIP)[:, inner, inner].reshape(len(views), -1, 1)
        found.append(np.linalg.solve(normal, slopes @ differs / slopes.shape[2])[..., 0])
    return np.concatenate(found, axis=1).astype(np.float32)


def _standardised(plane: Floats) -> Floats:
    """Mean 0 and deviation 1 in each view; flat views become 0."""
    centred = plane - plane.mean(axis=(1, 2), keepdims=True)
    spread = np.sqrt((centred**2).mean(axis=(1, 2), keepdims=True))
    return np.asarray(centred / np.maximum(spread, 1.0))
