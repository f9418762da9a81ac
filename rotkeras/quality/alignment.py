"""How close the embeddings of views of one image lie."""

import numpy as np

from rotkeras.arguments.accepted import PositiveNumber, ViewEmbeddings
from rotkeras.arguments.checked import checked
from rotkeras.quality.shapes import at_least, unit


@checked
def alignment(embeddings: ViewEmbeddings, alpha: PositiveNumber = 2.0) -> float:
    """The mean of ‖u − v‖^α over all pairs of views of one image, with u and v the embeddings
    divided by their length; from 0, all views alike, to 2^α; lower is closer.

    Args:
        embeddings: float (n, q, d): q views of each of n images. A zero vector has no direction and
            stays zero.
        alpha: 2, as in the paper.

    Raises:
        UserError: without an image, for fewer than two views, and for NaN or infinite numbers.

    Reference:
        Wang, Isola, Understanding Contrastive Representation Learning through Alignment and
        Uniformity on the Hypersphere, ICML 2020, section 4.1.1.
    """
    wide = at_least(1, "image", embeddings, "embeddings")
    directions = unit(at_least(2, "view", wide, "embeddings", axis=1))
    one, other = np.triu_indices(directions.shape[1], k=1)
    lengths = np.linalg.norm(directions[:, one] - directions[:, other], axis=-1)
    return float(np.mean(lengths**alpha))
