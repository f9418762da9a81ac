"""Average precision: what a ranking of finds or of images is worth."""

import numpy as np
from numpy.typing import NDArray

from rotkeras.errors import must


def voc07_average_precision(
    scores: NDArray[np.floating], right: NDArray[np.bool_], positives: int
) -> float:
    """The mean over the recalls 0, 0.1, …, 1 of the greatest precision at that recall or a higher
    one; NaN without positives.

    Args:
        scores: (n,), of all that was found; equal ones count in the order given.
        right: bool (n,), whether each is.
        positives: how many there are to find.

    Reference:
        Everingham et al., The PASCAL Visual Object Classes (VOC) Challenge, IJCV 2010, section 4.2.
    """
    if not positives:
        return float("nan")
    hits, precision = _curve(scores, right)
    # In whole numbers: 3 / 10 is less than 3 × 0.1.
    reached = [precision[10 * hits >= tenth * positives] for tenth in range(11)]
    return float(np.mean([each.max(initial=0.0) for each in reached]))


def area_average_precision(
    scores: NDArray[np.floating], right: NDArray[np.bool_], positives: int
) -> float:
    """The area under the curve of precision over recall, made to fall: VOC's measure since 2010;
    NaN without positives.

    Args:
        scores: (n,), of all that was found; equal ones count in the order given.
        right: bool (n,), whether each is.
        positives: how many there are to find.
    """
    if not positives:
        return float("nan")
    _, precision = _curve(scores, right)
    falling = np.maximum.accumulate(precision[::-1])[::-1]
    steps = np.asarray(right, bool)[np.argsort(-np.asarray(scores), kind="stable")]
    return float(falling[steps].sum() / positives)


def multi_label_average_precision(
    scores: NDArray[np.floating], labels: NDArray[np.integer]
) -> NDArray[np.float64]:
    """VOC 2007's average precision of classifying images that may be of several classes: float64
    (C,), NaN for a class without positives.

    Args:
        scores: (n, C).
        labels: (n, C): 1 for an image of the class, -1 for none, 0 where it is difficult to tell,
            which counts as neither.

    Raises:
        UserError: for labels of another shape.
    """
    if np.shape(scores) != np.shape(labels) or np.ndim(scores) != 2:
        raise must("labels", f"have the shape (n, C) of the scores, {np.shape(scores)}", labels)
    judged = np.asarray(labels) != 0
    right = np.asarray(labels) == 1
    return np.array(
        [
            voc07_average_precision(
                scores[judged[:, each], each],
                right[judged[:, each], each],
                int(right[:, each].sum()),
            )
            for each in range(np.shape(scores)[1])
        ]
    )


def _curve(
    scores: NDArray[np.floating], right: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """(right ones, precision) among the best 1, 2, …, n."""
    order = np.argsort(-np.asarray(scores), kind="stable")
    hits = np.cumsum(np.asarray(right, bool)[order])
    return hits, hits / np.arange(1, len(hits) + 1)
