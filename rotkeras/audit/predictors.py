"""What each small predictor of the shortcut test may see of a view: a few numbers, and never the
picture.

Each is a function of float32 views (n, S, S, 3), 0 … 255, to features (n, d). Each has a control:
the same numbers from where the artefact cannot be. Sky is above and floors are below, so frames and
colours tell much of the rotation of honest photographs; but a ring of pixels further inside tells
it as well. What a predictor tells beyond its control is the mark of how the files were made.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Predictor = Callable[[Floats], Floats]

_CELLS = 4
"""Pieces of each side of a frame."""


@dataclass(frozen=True)
class Sight:
    """One predictor of the shortcut test, beside its control.

    Attributes:
        name: "border", "colour", "grid" or "residue".
        sees: for people, what it is shown.
        features: float32 views (n, S, S, 3) -> float32 (n, d).
        control: the same of another place, period or scale; None where there is no such place.
        control_sees: for people, what the control is shown.
    """

    name: str
    sees: str
    features: Predictor
    control: Predictor | None = None
    control_sees: str = ""


def frame(views: Floats, inset: int, depth: int) -> Floats:
    """A square ring of pixels, its sides cut into pieces: mean colours, contrast and edges of each.

    Args:
        views: float32 (n, S, S, 3).
        inset: pixels between the view's edge and the ring.
        depth: pixels that the ring is wide.

    Returns:
        float32 (n, 96): four sides of four pieces, each the means of red, green and blue, the
        logarithm of the standard deviation of grey, and of the mean absolute differences along the
        side and across it.
    """
    inner = views[:, inset : views.shape[1] - inset, inset : views.shape[2] - inset]
    sides = []
    for turns in range(4):
        strip = np.rot90(inner, turns, (1, 2))[:, :depth]
        for piece in np.array_split(strip, _CELLS, axis=2):
            grey = piece.mean(axis=3)
            along = (
                np.abs(np.diff(grey, axis=2)).mean(axis=(1, 2))
                if grey.shape[2] > 1
                else np.zeros(len(grey))
            )
            across = (
                np.abs(np.diff(grey, axis=1)).mean(axis=(1, 2))
                if depth > 1
                else np.zeros(len(grey))
            )
            spread = np.log1p(np.stack([grey.std(axis=(1, 2)), along, across], axis=1))
            sides += [piece.mean(axis=(1, 2)), spread]
    return np.concatenate(sides, axis=1).astype(np.float32)


def border_depth(side: int) -> int:
    """How many pixels of the edge the border predictor sees: one, and two from a side of 32 on."""
    return 1 if side < 32 else 2


def colours(views: Floats) -> Floats:
    """Mean red, green and blue of the four quarters of the picture: float32 (n, 12)."""
    halves = [
        half
        for rows in np.array_split(views, 2, axis=1)
        for half in np.array_split(rows, 2, axis=2)
    ]
    return np.concatenate([half.mean(axis=(1, 2)) for half in halves], axis=1)


def phases(views: Floats, period: int) -> Floats:
    """How strong the steps between neighbouring rows, and columns, are at each phase of a period,
    beside the steps next to them.

    JPEG codes blocks of 8 × 8 pixels from the upper left corner, and its steps between blocks lie
    at each eighth pixel from there. A quarter turn moves them, unless the side is a multiple of 8.

    Returns:
        float32 (n, 4 · period): for rows, then columns, first of grey, then of colour; each
        direction has the mean 0, so that how much of an image runs across or down is not seen.
    """
    grey = views.mean(axis=3)
    colour = views[..., 0] - views[..., 2]
    found = []
    for plane in (grey, colour):
        for turned in (plane, plane.transpose(0, 2, 1)):
            steps = np.abs(np.diff(turned, axis=1))
            # Against both neighbours, and no larger than them by more than a block's step would be:
            # an edge of the content is as large as it likes, and would drown the steps of a flat
            # area.
            here = steps[:, 1:-1] - (steps[:, :-2] + steps[:, 2:]) / 2
            line = np.clip(here, -8, 8).mean(axis=2)
            by_phase = np.stack(
                [line[:, phase::period].mean(axis=1) for phase in range(period)], axis=1
            )
            found.append(by_phase - by_phase.mean(axis=1, keepdims=True))
    return np.concatenate(found, axis=1).astype(np.float32)


def residue(views: Floats, scale: int = 1) -> Floats:
    """Statistics of what is left of a picture without its smooth part: how noise and sharpness run.

    Args:
        views: float32 (n, S, S, 3).
        scale: 1 for the pixels as they are; 2 for those of the picture at half its size.

    Returns:
        float32 (n, 26): for grey, and for the difference of red and blue, correlations of the
        residue with itself at short distances, energies of row and column differences, the signs of
        its asymmetry, and the alternation of odd and even lines.
    """
    if scale > 1:
        side = views.shape[1] // scale * scale
        cut = views[:, :side, :side]
        views = cut.reshape(len(cut), side // scale, scale, side // scale, scale, 3).mean(
            axis=(2, 4)
        )
    found = []
    for plane in (views.mean(axis=3), views[..., 0] - views[..., 2]):
        smooth = _blur(plane)
        # Edges of the content are clipped: the residue of flat areas is where the making of the
        # files shows.
        rest = np.clip(plane - smooth, -12, 12)
        energy = (rest**2).mean(axis=(1, 2)) + 0.05
        lags = ((0, 1), (1, 0), (0, 2), (2, 0), (1, 1), (1, -1))
        found += [_correlation(rest, *lag) / energy for lag in lags]
        for turned in (rest, rest.transpose(0, 2, 1)):
            steps = np.diff(turned, axis=1)
            scale_of_steps = (steps**2).mean(axis=(1, 2)) + 0.05
            found.append(np.log(scale_of_steps))
            found.append((steps**3).mean(axis=(1, 2)) / scale_of_steps**1.5)
            lines = turned.mean(axis=2)
            found.append(np.log((np.diff(lines, axis=1) ** 2).mean(axis=1) + 0.01))
        found.append(np.log(energy))
    return np.stack(found, axis=1).astype(np.float32)


def _correlation(plane: Floats, down: int, right: int) -> Floats:
    height, width = plane.shape[1:]
    first = plane[:, : height - down, max(0, -right) : width - max(0, right)]
    second = plane[:, down:, max(0, right) : width + min(0, right)]
    return np.asarray((first * second).mean(axis=(1, 2)))


def _blur(plane: Floats) -> Floats:
    """Binomial 3 × 3 blur with the edge repeated."""
    padded = np.pad(plane, ((0, 0), (1, 1), (1, 1)), mode="edge")
    rows = (padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]) / 4
    return np.asarray((rows[:, :, :-2] + 2 * rows[:, :, 1:-1] + rows[:, :, 2:]) / 4)
