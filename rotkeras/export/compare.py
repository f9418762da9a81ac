"""What a probe loses when the embeddings come from a file instead of Keras, and whether that is
more than chance."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

CHANCE = 0.05
"""A loss that would come about by chance more often than this proves nothing."""


@dataclass(frozen=True, eq=False)
class Drop:
    """The answers to the same images from Keras and from a file, counted.

    Attributes:
        images: how many answers there are.
        keras: share that was right from Keras.
        file: share that was right from the file.
        lost: images that were right from Keras and are wrong from the file.
        gained: the other way round.
        agreement: share of images with the same answer, right or wrong.
        changes: of each image, answers lost minus answers gained: one number where an image was
            asked about once, a sum over its turned copies, which are not independent of each other.
    """

    images: int
    keras: float
    file: float
    lost: int
    gained: int
    agreement: float
    changes: NDArray[np.int64]

    @property
    def points(self) -> float:
        """Accuracy lost, in percentage points; negative for a gain."""
        return 100.0 * (self.lost - self.gained) / self.images

    @property
    def margin(self) -> float:
        """Half of the 95 % interval of `points`: of a paired difference, image by image (normal
        approximation).

        When no answer changed, what n images can exclude at 95 %: 3/n of the answers (rule of
        three).
        """
        if not self.changes.any():
            return 300.0 / len(self.changes)
        copies = self.images / len(self.changes)
        return float(196.0 * self.changes.std() / copies / math.sqrt(len(self.changes)))

    @property
    def chance(self) -> float:
        """How often at least so many of the changed images would lose if losing and gaining were as
        likely (sign test)."""
        lost, changed = int((self.changes > 0).sum()), int((self.changes != 0).sum())
        return float(
            sum(math.comb(changed, count) for count in range(lost, changed + 1)) / 2**changed
        )

    def record(self) -> dict[str, Any]:
        """As `verify.json` holds it: accuracies as shares, differences in points."""
        return {
            "images": len(self.changes),
            "answers": self.images,
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

    With few images a single changed answer is more than half a point: then only a loss beyond
    chance counts.
    """
    return bool(record["drop"] > points and record["chance"] < CHANCE)


def proves(record: Mapping[str, Any], points: float) -> bool:
    """Whether the images were enough to exclude a loss of more than `points`: the upper end of the
    interval lies below it.

    A gain proves no more than no change does, and few changes no more than none: the rule of three
    is the least margin.
    """
    margin = max(record["margin"], 300.0 / record["images"])
    return bool(max(record["drop"], 0.0) + margin <= points)


def compare(
    keras: NDArray[Any], file: NDArray[Any], labels: NDArray[Any], images: int | None = None
) -> Drop:
    """Count what changed between two lists of answers (n,) to images of known labels (n,).

    Args:
        keras: answers from Keras' numbers.
        file: answers from the file's.
        labels: what is right.
        images: how many images the answers are about, when they are to copies of them: all images,
            then all of them again.
    """
    first, second = np.asarray(keras), np.asarray(file)
    right, still = first == labels, second == labels
    return Drop(
        len(labels),
        float(right.mean()),
        float(still.mean()),
        int((right & ~still).sum()),
        int((~right & still).sum()),
        float((first == second).mean()),
        (right.astype(np.int64) - still).reshape(-1, images or len(labels)).sum(axis=0),
    )


def agreement(reference: NDArray[np.floating], values: NDArray[np.floating]) -> dict[str, float]:
    """How alike embeddings (n, d) are to those of Keras: cosine of each image's, and the largest
    difference of a number."""
    reference, values = reference.astype(np.float64), values.astype(np.float64)
    lengths = np.linalg.norm(reference, axis=1) * np.linalg.norm(values, axis=1)
    # Two vectors of zeros are alike; one of zeros is like nothing.
    alike = np.abs(reference - values).max(axis=1) < 1e-12
    cosine = np.where(
        lengths > 0, (reference * values).sum(axis=1) / np.where(lengths > 0, lengths, 1.0), alike
    )
    return {
        "cosine": float(cosine.mean()),
        "cosine_min": float(cosine.min()),
        "max_error": float(np.abs(reference - values).max()),
        "largest": float(np.abs(reference).max()),
    }
