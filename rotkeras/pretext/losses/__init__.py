"""Losses of pretext tasks, as functions of tensors and nothing else."""

import keras  # noqa: F401  First, or its import registers modules that need what is here, too early.

from rotkeras.pretext.losses.barlow_twins import barlow_twins
from rotkeras.pretext.losses.half_squared_distance import half_squared_distance
from rotkeras.pretext.losses.info_nce import info_nce
from rotkeras.pretext.losses.local_global import local_global
from rotkeras.pretext.losses.nce import log_ratios, nce
from rotkeras.pretext.losses.negative_cosine import negative_cosine
from rotkeras.pretext.losses.nt_xent import nt_xent
from rotkeras.pretext.losses.semi_hard_triplet import semi_hard_triplet
from rotkeras.pretext.losses.sinkhorn import sinkhorn
from rotkeras.pretext.losses.swapped_prediction import swapped_prediction
from rotkeras.pretext.losses.vicreg import vicreg

__all__ = [
    "barlow_twins",
    "half_squared_distance",
    "info_nce",
    "local_global",
    "log_ratios",
    "nce",
    "negative_cosine",
    "nt_xent",
    "semi_hard_triplet",
    "sinkhorn",
    "swapped_prediction",
    "vicreg",
]
