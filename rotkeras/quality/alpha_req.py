"""α-ReQ: how fast the eigenvalues of the covariance fall."""

import numpy as np

from rotkeras.arguments.accepted import FeatureMatrix, Positive
from rotkeras.arguments.checked import checked
from rotkeras.errors import must
from rotkeras.quality.shapes import at_least

_NUMERICAL_ZERO = 1e-10
"""Eigenvalues below this share of the first are rounding."""


@checked
def alpha_req(
    embeddings: FeatureMatrix, first_rank: Positive = 3, last_rank: Positive = 50
) -> float:
    """The exponent α of a power law λ_i ∝ i^(−α) of the eigenvalues of the covariance.

    The paper finds values close to 1 best: a lower exponent spreads variance over directions of
    noise, a higher one leaves it to few directions. It is no measure of more or less.

    α is the negative slope of a line through (log i, log λ_i), by least squares with weights 1/i,
    which make octaves of ranks count alike, as the code of Stringer et al. (2019) does. The fit is
    over ranks i from `first_rank` to `last_rank`, and no further than rank min(N − 1, d) and the
    last eigenvalue above 1e-10 times the first. The first two eigenvalues are left out, which in
    convolutional networks hold brightness and contrast.

    Args:
        embeddings: float (N, d), one for each image; N at least a few times d.
        first_rank: of the fit, counted from 1.
        last_rank: of the fit; above `first_rank`.

    Returns:
        The exponent; NaN where fewer than two eigenvalues are left to fit, such as for equal
        embeddings.

    Raises:
        UserError: for fewer than two embeddings, NaN or infinite numbers, and ranks that do not
            rise.

    Reference:
        Agrawal, Mondal, Ghosh, Richards, α-ReQ: Assessing Representation Quality in Self-Supervised
        Learning by Measuring Eigenspectrum Decay, NeurIPS 2022, section 3.
    """
    wide = at_least(2, "row", embeddings, "embeddings")
    if last_rank <= first_rank:
        raise must("last_rank", f"be above first_rank, {first_rank}", last_rank)
    centred = wide - wide.mean(axis=0)
    # Squared singular values: a covariance would square the condition first.
    eigenvalues = np.linalg.svd(centred, compute_uv=False) ** 2 / (len(wide) - 1)
    scale = _NUMERICAL_ZERO * max(eigenvalues[0], np.finfo(np.float64).eps * np.mean(wide**2))
    there = int(np.sum(eigenvalues[: len(wide) - 1] > scale))
    ranks = np.arange(first_rank, min(last_rank, there) + 1, dtype=np.float64)
    if len(ranks) < 2:
        return float("nan")
    x, y = np.log(ranks), np.log(eigenvalues[first_rank - 1 : first_rank - 1 + len(ranks)])
    weights = (1 / ranks) / np.sum(1 / ranks)
    x, y = x - np.sum(weights * x), y - np.sum(weights * y)
    return float(-np.sum(weights * x * y) / np.sum(weights * x * x))
