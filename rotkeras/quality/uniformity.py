"""How evenly embeddings lie on the sphere."""

import numpy as np

from rotkeras.arguments.accepted import FeatureMatrix, PositiveNumber
from rotkeras.arguments.checked import checked
from rotkeras.quality.shapes import at_least, unit

_CHUNK = 512
"""Rows whose distances to all others lie in memory together."""


@checked
def uniformity(embeddings: FeatureMatrix, t: PositiveNumber = 2.0) -> float:
    """log of the mean of exp(−t ‖u − v‖²) over all pairs of different images, with u and v the
    embeddings divided by their length; from 0, all alike, down to −4t; lower is more even.

    Args:
        embeddings: float (N, d), one for each image. A zero vector has no direction and stays zero.
        t: 2, as in the paper.

    Raises:
        UserError: for fewer than two embeddings, and for NaN or infinite numbers.

    Reference:
        Wang, Isola, Understanding Contrastive Representation Learning through Alignment and
        Uniformity on the Hypersphere, ICML 2020, section 4.1.2.
    """
    directions = unit(at_least(2, "row", embeddings, "embeddings"))
    squares = np.sum(directions**2, axis=1)
    total = 0.0
    for start in range(0, len(directions), _CHUNK):
        rows = directions[start : start + _CHUNK]
        cosines = rows @ directions.T
        distances = squares[start : start + _CHUNK, None] + squares - 2 * cosines
        alike = np.exp(-t * np.maximum(distances, 0.0))
        alike[np.arange(len(rows)), start + np.arange(len(rows))] = 0.0  # an image and itself
        total += float(alike.sum())
    pairs = len(directions) * (len(directions) - 1)
    return float(np.log(total / pairs))
