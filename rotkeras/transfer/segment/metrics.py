"""How well masks are predicted: confusions, intersection over union, pixel accuracy."""

import numpy as np
from numpy.typing import NDArray

from rotkeras.errors import UserError
from rotkeras.transfer.segment.masks import VOID


def confusion_matrix(
    truth: NDArray[np.integer],
    predicted: NDArray[np.integer],
    classes: int,
    void: int = VOID,
) -> NDArray[np.int64]:
    """How many pixels of each true class were given each class: int64 (classes, classes), rows are
    the truth. Matrices of several images add up.

    Args:
        truth: integers of any shape, classes or void.
        predicted: of the same shape, classes.
        classes: how many there are.
        void: the truth of pixels that do not count, whatever was predicted there.

    Raises:
        UserError: for shapes that differ, and for classes that are not there.
    """
    if truth.shape != predicted.shape:
        raise UserError(
            f"predicted must have the shape of truth, {truth.shape}, got {predicted.shape};"
            " resize the prediction to its mask."
        )
    counted = truth != void
    rows, columns = truth[counted].astype(np.int64), predicted[counted].astype(np.int64)
    for name, values in (("truth", rows), ("predicted", columns)):
        if values.size and (values.min() < 0 or values.max() >= classes):
            wrong = values[(values < 0) | (values >= classes)][0]
            raise UserError(
                f"{name} must hold classes 0 … {classes - 1}, got {wrong}; give the number of"
                f" classes of the masks, or mark such pixels {void}."
            )
    cells = np.bincount(rows * classes + columns, minlength=classes**2)
    return cells.reshape(classes, classes)


def intersection_over_union(matrix: NDArray[np.integer]) -> NDArray[np.float64]:
    """Intersection over union of each class: float64 (classes,), NaN for those that occur neither
    in the truth nor in the prediction.

    Args:
        matrix: of `confusion_matrix`, over all images.

    Reference:
        Everingham et al., The PASCAL Visual Object Classes Challenge: A Retrospective, IJCV 2015,
        section 4.4: true positives over true positives, false positives and false negatives, over
        the pixels of all images at once.
    """
    hits = np.diagonal(matrix).astype(np.float64)
    union = matrix.sum(axis=0) + matrix.sum(axis=1) - hits
    with np.errstate(invalid="ignore"):
        return np.where(union > 0, hits / union, np.nan)


def mean_intersection_over_union(matrix: NDArray[np.integer]) -> float:
    """The mean over the classes that occur in the truth or in the prediction; NaN for none."""
    each = intersection_over_union(matrix)
    there = each[~np.isnan(each)]
    return float(there.mean()) if len(there) else float("nan")


def pixel_accuracy(matrix: NDArray[np.integer]) -> float:
    """The share of pixels, void left out, that were given their class; NaN for no pixel."""
    pixels = int(matrix.sum())
    return float(np.trace(matrix)) / pixels if pixels else float("nan")
