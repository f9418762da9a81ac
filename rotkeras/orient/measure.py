"""How often an orienter is right, and how far its confidence can be trusted: upright photographs,
turned by a seed."""

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from rotkeras.data.decode import Progress, ordered_map, reason_of
from rotkeras.data.source import BadImage
from rotkeras.device.orienter import Orienter
from rotkeras.errors import UserError
from rotkeras.images import read_image
from rotkeras.orient.files import Found

LEVELS = (0.0, 0.5, 0.7, 0.8, 0.9, 0.95, 0.99)
"""Confidences of a table."""

_BINS = 10


@dataclass(frozen=True, eq=False)
class Measured:
    """Answers to n images whose angles are known.

    Attributes:
        turned: int64 (n,), degrees counter-clockwise by which each was turned.
        found: int64 (n,), what was answered.
        confidences: float64 (n,), of the answers.
        skipped: files that could not be read.
    """

    turned: NDArray[np.int64]
    found: NDArray[np.int64]
    confidences: NDArray[np.float64]
    skipped: list[BadImage] = field(default_factory=list)

    @property
    def right(self) -> NDArray[np.bool_]:
        """Whether each answer is right, (n,)."""
        return np.equal(self.turned, self.found)

    def at(self, confidence: float) -> tuple[int, int]:
        """(answers of at least this confidence, how many of them are right)."""
        sure = self.confidences >= confidence
        return int(sure.sum()), int(self.right[sure].sum())

    def curve(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(coverage, accuracy), each (n,): of the surest answer, the two surest, …, and all n.

        Reference:
            Geifman, El-Yaniv, Selective Classification for Deep Neural Networks, NeurIPS 2017,
            section 2.
        """
        order = np.argsort(-self.confidences, kind="stable")
        counts = np.arange(1, len(order) + 1)
        return counts / len(order), np.cumsum(self.right[order]) / counts

    def calibration_error(self) -> float:
        """How far confidence and accuracy lie apart, 0 … 1: the mean distance over ten bins of as
        many answers each.

        Reference:
            Guo et al., On Calibration of Modern Neural Networks, ICML 2017, equation 3; bins of
            equal numbers, Nguyen and O'Connor, EMNLP 2015.
        """
        order = np.argsort(self.confidences, kind="stable")
        distances = [
            abs(float(self.confidences[part].mean() - self.right[part].mean())) * len(part)
            for part in np.array_split(order, min(_BINS, len(order)))
        ]
        return sum(distances) / len(order)


def interval(right: int, answered: int) -> tuple[float, float]:
    """The 95 % interval of a share, 0 … 1.

    Reference:
        Wilson, Probable Inference, the Law of Succession, and Statistical Inference, JASA, vol. 22,
        1927.
    """
    z = 1.96
    share, scale = right / answered, 1 + z * z / answered
    middle = (share + z * z / (2 * answered)) / scale
    half = z / scale * math.sqrt(share * (1 - share) / answered + (z / (2 * answered)) ** 2)
    return max(0.0, middle - half), min(1.0, middle + half)


def measure(
    orienter: Orienter,
    images: Found,
    seed: int = 0,
    *,
    single_look: bool = False,
    progress: Progress | None = None,
) -> Measured:
    """Turn photographs that are upright by angles of a seed, and ask an orienter for the angles.

    Args:
        orienter: a network.
        images: of `rotkeras.orient.files.find_images`; upright as a viewer shows them.
        seed: of the angles.
        single_look: one look at each image instead of one in each turn.
        progress: called with (images done, images in all).

    Raises:
        UserError: when no image could be read.
    """
    drawn = np.random.default_rng(seed).integers(len(orienter.angles), size=len(images.paths))
    turned, found, confidences, skipped = [], [], [], []

    def read(path: object) -> NDArray[np.uint8]:
        return read_image(images.folder / str(path), orienter.input_size)

    for at, pixels in enumerate(ordered_map(read, images.paths)):
        if isinstance(pixels, Exception):
            path = images.folder / images.paths[at]
            skipped.append(BadImage.of(str(path), reason_of(pixels)))
        else:
            angle = orienter.angles[drawn[at]]
            given = np.ascontiguousarray(np.rot90(pixels, angle // 90))
            (answer,) = orienter.orient(given, single_look=single_look)
            turned.append(angle)
            found.append(answer.angle)
            confidences.append(answer.confidence)
        if progress is not None:
            progress(at + 1, len(images.paths))
    if not turned:
        raise UserError("None of the images could be read; give other image files.")
    return Measured(
        np.array(turned, np.int64), np.array(found, np.int64), np.array(confidences), skipped
    )
