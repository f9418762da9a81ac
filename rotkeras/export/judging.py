"""What a probe loses when the embeddings come from a file instead of Keras, and whether that is more than chance."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

CHANCE = 0.05
"""A loss that would come about by chance more often than this proves nothing."""


@dataclass(frozen=True)
class Drop:
    """The answers to the same images from Keras and from a file, counted.

    Attributes:
        images: how many were asked about.
        keras: share that was right from Keras.
        file: share that was right from the file.
        lost: images that were right from Keras and are wrong from the file.
        gained: the other way round.
        agreement: share of images with the same answer, right or wrong.
    """

    images: int
    keras: float
    file: float
    lost: int
    gained: int
    agreement: float

    @property
    def points(self) -> float:
        """Accuracy lost, in percentage points; negative for a gain."""
        return 100.0 * (self.lost - self.gained) / self.images

    @property
    def margin(self) -> float:
        """Half of the 95 % interval of `points` (normal approximation of a paired difference)."""
        lost, gained = self.lost / self.images, self.gained / self.images
        return 196.0 * math.sqrt(max(lost + gained - (lost - gained) ** 2, 0.0) / self.images)

    @property
    def chance(self) -> float:
        """How often at least so many of the changed answers would be losses if losses and gains were as likely (sign test)."""
        changed = self.lost + self.gained
        return float(sum(math.comb(changed, count) for count in range(self.lost, changed + 1)) / 2**changed)

    def record(self) -> dict[str, Any]:
        """As `verify.json` holds it: accuracies as shares, differences in points."""
        return {
            "images": self.images,
            "keras": self.keras,
            "file": self.file,
            "drop": self.points,
            "margin": self.margin,
            "lost": self.lost,
            "gained": self.gained,
            "chance": self.chance,
            "agreement": self.agreement,
        }


def exceeds(record: Mapping[str, Any], points: float) -> bool:
    """Whether more was lost than `points`, and more than chance explains, by a `Drop.record`.

    With few images a single changed answer is more than half a point: then only a loss beyond chance counts.
    """
    return bool(record["drop"] > points and record["chance"] < CHANCE)


def compare(keras: Sequence[Any] | NDArray[Any], file: Sequence[Any] | NDArray[Any], labels: NDArray[Any]) -> Drop:
    """Count what changed between two lists of answers (n,) to images of known labels (n,)."""
    first, second = np.asarray(keras), np.asarray(file)
    right, still = first == labels, second == labels
    return Drop(
        len(labels),
        float(right.mean()),
        float(still.mean()),
        int((right & ~still).sum()),
        int((~right & still).sum()),
        float((first == second).mean()),
    )


def likeness(reference: NDArray[np.floating], values: NDArray[np.floating]) -> dict[str, float]:
    """How alike embeddings (n, d) are to those of Keras: cosine of each image's, and the largest difference of a number."""
    reference, values = reference.astype(np.float64), values.astype(np.float64)
    lengths = np.linalg.norm(reference, axis=1) * np.linalg.norm(values, axis=1)
    # Two vectors of zeros are alike; one of zeros is like nothing.
    alike = np.abs(reference - values).max(axis=1) < 1e-12
    cosine = np.where(lengths > 0, (reference * values).sum(axis=1) / np.where(lengths > 0, lengths, 1.0), alike)
    return {
        "cosine": float(cosine.mean()),
        "cosine_min": float(cosine.min()),
        "max_error": float(np.abs(reference - values).max()),
        "largest": float(np.abs(reference).max()),
    }
