"""All measures of the embeddings of one tap."""

import math

from rotkeras.arguments.accepted import FeatureMatrix, ViewEmbeddings
from rotkeras.arguments.checked import checked
from rotkeras.quality.alignment import alignment
from rotkeras.quality.alpha_req import alpha_req
from rotkeras.quality.lidar import lidar
from rotkeras.quality.rankme import rankme
from rotkeras.quality.uniformity import uniformity

MEASURES = ("rankme", "alpha_req", "lidar", "uniformity", "alignment")
"""Names of the measures, in the order of tables."""

Measured = dict[str, float | None]
"""{measure: its value}; None where these embeddings have none."""


@checked
def measure_quality(embeddings: FeatureMatrix, views: ViewEmbeddings) -> Measured:
    """Every measure, of one tap.

    Args:
        embeddings: float (N, d), of N images; N at least 2.
        views: float (n, q, d), of q views of n images; n and q at least 2.

    Returns:
        {measure: value}; None for an exponent that cannot be fitted (`alpha_req`).

    Raises:
        UserError: as the measures do.
    """
    found = {
        "rankme": rankme(embeddings),
        "alpha_req": alpha_req(embeddings),
        "lidar": lidar(views),
        "uniformity": uniformity(embeddings),
        "alignment": alignment(views),
    }
    return {name: value if math.isfinite(value) else None for name, value in found.items()}
