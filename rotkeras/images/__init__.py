"""Image files and Pillow images to uint8 RGB arrays, upright, with NumPy and Pillow alone."""

from rotkeras.images.pixels import (
    fit_square,
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

__all__ = [
    "fit_square",
    "load_pixels",
    "open_image",
    "orientation",
    "orientation_in",
    "read_crop",
    "read_image",
    "read_size",
    "to_rgb",
    "transposed",
    "upright",
]
