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


@dataclass(frozen=True, eq=False)
class Drawn:
    """A photograph with boxes.

    Attributes:
        picture: uint8 (H, W, 3), the longer side 360 pixels.
        caption: file, hits, misses and false finds.
        mistakes: misses and false finds.
    """

    picture: NDArray[np.uint8]
    caption: str
    mistakes: int


def draw_boxes(
    path: Path, truth: Boxes, found: Detections, class_names: Any, least_score: float
) -> Drawn:
    """Draw what was found (green), missed (orange) and found where nothing is (red).

    Args:
        path: of the photograph.
        truth: its objects; difficult ones are neither hit nor missed.
        found: detections, the best first.
        class_names: by class.
        least_score: detections below it are not shown.
    """
    shape = read_size(path)
    height, width, _ = shape
    scale = _SIDE / max(height, width)
    sides = max(1, round(height * scale)), max(1, round(width * scale))
    picture = Image.fromarray(read_crop(path, (0.0, 0.0, height, width), sides, shape))
    pen = ImageDraw.Draw(picture)
    shown = np.flatnonzero(found.scores >= least_score)
    hit = np.zeros(len(truth), bool)
    false = 0
    shared = overlaps(found.corners, truth.corners) if len(truth) else np.zeros((len(found), 0))
    for row in shown:
        fits = (shared[row] >= _OVERLAP) & (truth.classes == found.classes[row]) & ~hit
        best = int(np.where(fits, shared[row], -1).argmax()) if fits.any() else -1
        if best >= 0:
            hit[best] = True
        elif not ((shared[row] >= _OVERLAP) & truth.difficult).any():
            false += 1
        name = f"{class_names[found.classes[row]]} {found.scores[row]:.2f}"
        _box(pen, found.corners[row] * scale, HIT if best >= 0 else FALSE, name)
    missed = np.flatnonzero(~hit & ~truth.difficult)
    for row in missed:
        _box(pen, truth.corners[row] * scale, MISS, str(class_names[truth.classes[row]]))
    hits = int((hit & ~truth.difficult).sum())
    caption = f"{as_text(path.name)}: {hits} found, {len(missed)} missed, {false} false"
    return Drawn(np.asarray(picture), caption, len(missed) + false)


def _box(pen: Any, corners: NDArray[np.floating], colour: tuple[int, int, int], name: str) -> None:
    left, top, right, bottom = (float(each) for each in corners)
    pen.rectangle((left, top, max(left + 1, right), max(top + 1, bottom)), outline=colour, width=2)
    place = (left + 3, top + 2)
    pen.rectangle(pen.textbbox(place, name), fill=colour)
    pen.text(place, name, fill=(255, 255, 255))
