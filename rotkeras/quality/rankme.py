"""RankMe: how many dimensions embeddings use."""

import numpy as np

from rotkeras.arguments.accepted import FeatureMatrix
from rotkeras.arguments.checked import checked
from rotkeras.quality.shapes import at_least, smooth_rank


@checked
def rankme(embeddings: FeatureMatrix) -> float:
    """The smooth rank of a matrix of embeddings Z, from 1 to min(N, d); higher is better.

    exp(−Σ_k p_k log p_k) with p_k = σ_k(Z) / ‖σ(Z)‖₁ + ε, where σ are the singular values and
    ε = 1e-7. The embeddings are not centred. It compares networks of one width: a wider tap may
    have a higher rank for its width alone.

    Args:
        embeddings: float (N, d), one for each image. It needs several times as many images as
            dimensions; the paper takes 25,600.

    Returns:
        The rank; 0.0 if all embeddings are zero.

    Raises:
        UserError: without an embedding, and for NaN or infinite numbers.

    Reference:
        Garrido, Balestriero, Najman, LeCun, RankMe: Assessing the Downstream Performance of
        Pretrained Self-Supervised Representations by Their Rank, ICML 2023, equation 1.
    """
    wide = at_least(1, "row", embeddings, "embeddings")
    return smooth_rank(np.linalg.svd(wide, compute_uv=False))
