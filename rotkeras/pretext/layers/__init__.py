"""Layers that pretext tasks need for training; none of them is in a kept network."""

from rotkeras.pretext.layers.follower import Follower
from rotkeras.pretext.layers.image_table import ImageTable
from rotkeras.pretext.layers.noise_contrast import NoiseContrast
from rotkeras.pretext.layers.prototypes import Prototypes
from rotkeras.pretext.layers.queue import Queue
from rotkeras.pretext.layers.shared_places import SharedPlaces

__all__ = ["Follower", "ImageTable", "NoiseContrast", "Prototypes", "Queue", "SharedPlaces"]
