"""Whether embeddings of different images differ: a collapsed encoder gives all of them one."""

from dataclasses import dataclass

import numpy as np

from rotkeras.arguments.accepted import FeatureMatrix
from rotkeras.arguments.checked import checked
from rotkeras.errors import must

LEAST_STD, LEAST_RANK = 0.01, 1.5
"""Below one of these the embeddings have collapsed. Untrained networks have a std of 0.04 (a small
one, on digits) to 0.13 (a quarter of NIN-4, on CIFAR-10), and cosines near 1, which thus tell
little."""


@dataclass(frozen=True)
class Spread:
    """How much embeddings of different images differ, after division by their length.

    Attributes:
        std: mean standard deviation of a dimension times √d: 1 for directions that are spread
            evenly, 0 for one direction.
        rank: effective rank, from 1 to d: the exponential of the entropy of the singular values of
            the centred embeddings, as shares of their sum; 0 if all embeddings are equal.
        cosine: mean cosine similarity of two different images.

    Reference:
        Roy, Vetterli, The Effective Rank: a Measure of Effective Dimensionality, EUSIPCO 2007;
        Chen, He, Exploring Simple Siamese Representation Learning, CVPR 2021, section 4.1 (std).
    """

    std: float
    rank: float
    cosine: float

    @property
    def collapsed(self) -> bool:
        """Whether all images have nearly the same embedding, or embeddings on one line."""
        return self.std < LEAST_STD or self.rank < LEAST_RANK


@checked
def measure_spread(embeddings: FeatureMatrix) -> Spread:
    """Measure how much embeddings differ.

    Args:
        embeddings: float32 (N, d), one for each image, N at least 2.

    Raises:
        UserError: for fewer than two embeddings.
    """
    if len(embeddings) < 2:
        raise must("embeddings", "have at least 2 rows", embeddings)
    wide = embeddings.astype(np.float64)
    unit = wide / np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), 1e-12)
    count, dimensions = unit.shape
    values = np.linalg.svd(unit - unit.mean(axis=0), compute_uv=False)
    total, rank = values.sum(), 0.0
    if total > 1e-9 * count:
        shares = values[values > 0] / total
        rank = float(np.exp(-np.sum(shares * np.log(shares))))
    # The sum over all pairs is the squared length of the sum.
    pairs = float(np.sum(unit.sum(axis=0) ** 2) - np.sum(unit**2)) / (count * (count - 1))
    return Spread(float(unit.std(axis=0).mean() * np.sqrt(dimensions)), rank, pairs)
