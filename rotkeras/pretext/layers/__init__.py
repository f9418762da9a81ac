"""Layers that pretext tasks need for training; none of them is in a kept network."""

from rotkeras.pretext.layers.follower import Follower
from rotkeras.pretext.layers.image_table import ImageTable
from rotkeras.pretext.layers.in_orders import InOrders
from rotkeras.pretext.layers.noise_contrast import NoiseContrast
from rotkeras.pretext.layers.pairs_with_centre import PairsWithCentre
from rotkeras.pretext.layers.prototypes import Prototypes
from rotkeras.pretext.layers.queue import Queue
from rotkeras.pretext.layers.shared_places import SharedPlaces
from rotkeras.pretext.layers.tiles_of_image import TilesOfImage

__all__ = [
    "Follower",
    "ImageTable",
    "InOrders",
    "NoiseContrast",
    "PairsWithCentre",
    "Prototypes",
    "Queue",
    "SharedPlaces",
    "TilesOfImage",
]
