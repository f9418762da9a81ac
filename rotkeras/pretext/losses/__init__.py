"""Losses of pretext tasks, as functions of tensors and nothing else."""

from rotkeras.pretext.losses.nt_xent import nt_xent

__all__ = ["nt_xent"]
