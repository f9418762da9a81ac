"""Measures of embeddings that need no labels."""

from rotkeras.quality.alignment import alignment
from rotkeras.quality.alpha_req import alpha_req
from rotkeras.quality.lidar import lidar
from rotkeras.quality.measures import MEASURES as MEASURES
from rotkeras.quality.measures import measure_quality
from rotkeras.quality.rankme import rankme
from rotkeras.quality.spread import Spread, measure_spread
from rotkeras.quality.uniformity import uniformity

__all__ = [
    "Spread",
    "alignment",
    "alpha_req",
    "lidar",
    "measure_quality",
    "measure_spread",
    "rankme",
    "uniformity",
]
