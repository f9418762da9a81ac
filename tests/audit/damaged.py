"""What goes wrong with pictures."""

import io

import numpy as np
from PIL import Image


def rotated(images, degrees, **options):
    """Turned by interpolation, as those do who augment on disk."""
    return np.stack(
        [
            np.asarray(Image.fromarray(each).rotate(degrees, Image.Resampling.BILINEAR, **options))
            for each in images
        ]
    )


def as_jpeg(images, quality):
    """Through JPEG and back."""
    found = []
    for image in images:
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, "JPEG", quality=quality)
        found.append(np.asarray(Image.open(buffer)))
    return np.stack(found)
