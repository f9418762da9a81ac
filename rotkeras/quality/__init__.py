"""Measures of embeddings that need no labels."""

from rotkeras.quality.spread import Spread, measure_spread

__all__ = ["Spread", "measure_spread"]
