"""Whether images have an up: what a small network's probabilities say of each image and of each
folder."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

AMBIGUOUS_BELOW = 0.5
"""An image is ambiguous when no way up has a probability of at least this."""
TURNED_FROM = 0.9
"""An image is taken for turned already when one of the three other ways up has at least this
probability."""


@dataclass(frozen=True, eq=False)
class Up:
    """How a network that did not see them takes some images.

    Attributes:
        confusion: float64 (4, 4), share of the views of each angle (row) taken for each angle
            (column).
        right: float64 (n,), share of each image's four views whose angle is predicted correctly.
        way_up: float64 (n, 4), the probability that the image, as it lies, is turned by 0, 90, 180
            or 270° counter-clockwise.
    """

    confusion: NDArray[np.float64]
    right: NDArray[np.float64]
    way_up: NDArray[np.float64]

    @property
    def ambiguous(self) -> NDArray[np.bool_]:
        """bool (n,): images without a likely way up."""
        return np.asarray(self.way_up.max(axis=1) < AMBIGUOUS_BELOW)

    @property
    def turned(self) -> NDArray[np.bool_]:
        """bool (n,): images that are already rotated, according to all four views."""
        return np.asarray(self.way_up[:, 1:].max(axis=1) >= TURNED_FROM)

    def accuracy(self, rows: NDArray[np.bool_] | slice = slice(None)) -> tuple[float, float]:
        """Accuracy over the views, and half of its 95 % interval over images; 0 and 0.5 for
        no image."""
        right = self.right[rows]
        if len(right) < 2:
            return (float(right.mean()) if len(right) else 0.0), 0.5
        return float(right.mean()), float(1.96 * right.std(ddof=1) / np.sqrt(len(right)))

    def lies(self, rows: NDArray[np.bool_]) -> int:
        """By how many degrees counter-clockwise some images lie turned together, 0 when they do not
        or it is not certain.

        One image turned among many is hard to tell for a small network; a folder of them, from one
        camera held sideways, is not.
        """
        way_up = self.way_up[rows]
        if len(way_up) < 2:
            return 0
        other = int(way_up[:, 1:].mean(axis=0).argmax()) + 1
        lead = way_up[:, other] - way_up[:, 0]
        certain = (
            lead.mean() - 3 * lead.std(ddof=1) / np.sqrt(len(lead)) > 0
        )  # three deviations, for there may be many folders
        return 90 * other if certain else 0


def weigh(probabilities: NDArray[np.float32]) -> Up:
    """Put the four views of each image together.

    A view that was turned by v quarters and is taken for one turned by v + o says that the image
    itself was turned by o: the mean logarithm over the four views, made a probability again, is
        what they say together.

    Args:
        probabilities: float32 (n, 4, 4) of `network.predict_unseen`: image, view, angle.
    """
    views = np.arange(4)
    logarithms = np.log(np.maximum(probabilities.astype(np.float64), 1e-7))
    agreed = np.stack(
        [logarithms[:, views, (views + offset) % 4].mean(axis=1) for offset in range(4)], axis=1
    )
    powers = np.exp(agreed - agreed.max(axis=1, keepdims=True))
    taken = probabilities.argmax(axis=2)
    confusion = np.stack(
        [np.bincount(taken[:, view], minlength=4) / max(1, len(taken)) for view in views]
    )
    return Up(confusion, (taken == views).mean(axis=1), powers / powers.sum(axis=1, keepdims=True))
