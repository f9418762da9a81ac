"""Image files and Pillow images to uint8 RGB arrays, upright, with NumPy and Pillow alone."""

from rotkeras.images.pixels import (
    fit,
    load_pixels,
    open_image,
    orientation,
    orientation_in,
    read_crop,
    read_image,
    read_size,
    to_rgb,
    transposed,
    upright,
)
from rotkeras.images.size import Size as Size
from rotkeras.images.size import as_size, shown, sides_of

__all__ = [
    "as_size",
    "fit",
    "load_pixels",
    "open_image",
    "orientation",
    "orientation_in",
    "read_crop",
    "read_image",
    "read_size",
    "shown",
    "sides_of",
    "to_rgb",
    "transposed",
    "upright",
]
