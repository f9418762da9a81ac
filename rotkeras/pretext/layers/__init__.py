"""Layers that pretext tasks need for training; none of them is in a kept network."""

from rotkeras.pretext.layers.follower import Follower
from rotkeras.pretext.layers.image_table import ImageTable
from rotkeras.pretext.layers.queue import Queue

__all__ = ["Follower", "ImageTable", "Queue"]
