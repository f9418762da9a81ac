"""Photographs with true boxes and those that were found."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from rotkeras.device.boxes import Detections, overlaps
from rotkeras.files import as_text
from rotkeras.images import read_crop, read_size
from rotkeras.transfer.detect.boxes import Boxes

HIT, MISS, FALSE = (30, 160, 60), (240, 150, 0), (220, 30, 30)
"""Colours of found objects, of those that were missed, and of finds that are none."""

_SIDE = 360
_OVERLAP = 0.5
_MOST_SHOWN = 10
"""Detections of a photograph, the best: more would hide it."""


@dataclass(frozen=True, eq=False)
class Match:
    """Which detections of a photograph meet which of its objects.

    Attributes:
        shown: int64 (k,), the detections whose score is high enough, at most ten.
        right: bool (k,), whether each meets an object of its class that no better one met.
        missed: int64 (m,), objects that no detection met; difficult ones are neither.
        hits: objects that were met.
        false: detections that meet nothing.
    """

    shown: NDArray[np.int64]
    right: NDArray[np.bool_]
    missed: NDArray[np.int64]
    hits: int
    false: int

    @property
    def mistakes(self) -> int:
        """Misses and false finds."""
        return len(self.missed) + self.false


def match(truth: Boxes, found: Detections, least_score: float) -> Match:
    """Match detections, the best first, with objects that they overlap by half.

    Args:
        truth: the objects.
        found: detections.
        least_score: those below it are left out.
    """
    shown = np.flatnonzero(found.scores >= least_score)[:_MOST_SHOWN]
    hit = np.zeros(len(truth), bool)
    right = np.zeros(len(shown), bool)
    false = 0
    shared = overlaps(found.corners, truth.corners) if len(truth) else np.zeros((len(found), 0))
    for place, row in enumerate(shown):
        fits = (shared[row] >= _OVERLAP) & (truth.classes == found.classes[row]) & ~hit
        if fits.any():
            hit[int(np.where(fits, shared[row], -1).argmax())] = right[place] = True
        elif not ((shared[row] >= _OVERLAP) & truth.difficult).any():
            false += 1
    missed = np.flatnonzero(~hit & ~truth.difficult)
    return Match(shown, right, missed, int((hit & ~truth.difficult).sum()), false)


def draw_boxes(
    path: Path, truth: Boxes, found: Detections, met: Match, class_names: Any
) -> tuple[str, NDArray[np.uint8]]:
    """Draw what was found (green), missed (orange) and found where nothing is (red).

    Args:
        path: of the photograph.
        truth: its objects.
        found: detections.
        met: of `match`.
        class_names: by class.

    Returns:
        (file, hits, misses and false finds; uint8 (H, W, 3), the longer side 360 pixels).
    """
    shape = read_size(path)
    height, width, _ = shape
    scale = _SIDE / max(height, width)
    sides = max(1, round(height * scale)), max(1, round(width * scale))
    picture = Image.fromarray(read_crop(path, (0.0, 0.0, height, width), sides, shape))
    pen = ImageDraw.Draw(picture)
    for row, right in zip(met.shown, met.right, strict=True):
        name = f"{class_names[found.classes[row]]} {found.scores[row]:.2f}"
        _box(pen, found.corners[row] * scale, HIT if right else FALSE, name)
    for row in met.missed:
        _box(pen, truth.corners[row] * scale, MISS, str(class_names[truth.classes[row]]))
    caption = f"{as_text(path.name)}: {met.hits} found, {len(met.missed)} missed, {met.false} false"
    return caption, np.asarray(picture)


def _box(pen: Any, corners: NDArray[np.floating], colour: tuple[int, int, int], name: str) -> None:
    left, top, right, bottom = (float(each) for each in corners)
    pen.rectangle((left, top, max(left + 1, right), max(top + 1, bottom)), outline=colour, width=2)
    place = (left + 3, top + 2)
    pen.rectangle(pen.textbbox(place, name), fill=colour)
    pen.text(place, name, fill=(255, 255, 255))
