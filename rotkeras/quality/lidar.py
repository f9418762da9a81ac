"""LiDAR: how many directions distinguish images better than views of one image."""

import numpy as np

from rotkeras.arguments.accepted import PositiveNumber, ViewEmbeddings
from rotkeras.arguments.checked import checked
from rotkeras.quality.shapes import at_least, smooth_rank


@checked
def lidar(embeddings: ViewEmbeddings, delta: PositiveNumber = 1e-4) -> float:
    """The smooth rank of the matrix of linear discriminant analysis whose classes are the images;
    from 1 to min(n − 1, d), higher is better.

    With the mean μ_i of the views of image i and the mean μ of all,

        Σ_b = 1/(n − 1) Σ_i (μ_i − μ)(μ_i − μ)ᵀ
        Σ_w = 1/(n (q − 1)) Σ_i Σ_j (z_ij − μ_i)(z_ij − μ_i)ᵀ + δ I
        Σ = Σ_w^(−1/2) Σ_b Σ_w^(−1/2)

    and the eigenvalues λ of Σ, it is exp(−Σ_k p_k log p_k) with p_k = λ_k / ‖λ‖₁ + ε, ε = 1e-7.

    Args:
        embeddings: float (n, q, d): q views of each of n images. Use more images than dimensions;
            the paper takes 1,000 images and 50 views.
        delta: δ, in the squared units of the embeddings.

    Returns:
        The rank; 0.0 if all images have the same mean.

    Raises:
        UserError: for fewer than two images or two views, and for NaN or infinite numbers.

    Reference:
        Thilak et al., LiDAR: Sensing Linear Probing Performance in Joint Embedding SSL
        Architectures, ICLR 2024, section 4.
    """
    wide = at_least(2, "image", embeddings, "embeddings")
    at_least(2, "view", embeddings, "embeddings", axis=1)
    images, views, dimensions = wide.shape
    means = wide.mean(axis=1)
    between = means - means.mean(axis=0)
    within = (wide - means[:, None]).reshape(-1, dimensions)
    inside = within.T @ within / (images * (views - 1)) + delta * np.eye(dimensions)
    values, vectors = np.linalg.eigh(inside)
    whitened = between @ (vectors / np.sqrt(values)) / np.sqrt(images - 1)
    # The eigenvalues of Σ are the squared singular values of the whitened means.
    spectrum = np.zeros(dimensions)
    found = np.linalg.svd(whitened, compute_uv=False) ** 2
    spectrum[: len(found)] = found
    rounding = np.finfo(np.float64).eps ** 2 * np.mean(wide**2) / delta * wide.size
    return smooth_rank(spectrum) if spectrum.sum() > rounding else 0.0
