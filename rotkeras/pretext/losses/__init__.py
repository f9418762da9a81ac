"""Losses of pretext tasks, as functions of tensors and nothing else."""

from rotkeras.pretext.losses.local_global import local_global
from rotkeras.pretext.losses.nce import log_ratios, nce
from rotkeras.pretext.losses.nt_xent import nt_xent
from rotkeras.pretext.losses.sinkhorn import sinkhorn
from rotkeras.pretext.losses.swapped_prediction import swapped_prediction

__all__ = ["local_global", "log_ratios", "nce", "nt_xent", "sinkhorn", "swapped_prediction"]
