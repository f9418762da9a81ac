"""Rotated copies of a batch of images: exact quarter turns on the host and on the device, and
resampled eighth turns."""

import math
from typing import Any

Tensor = Any


def quarter_turn(images: Tensor, turns: int, library: Any) -> Tensor:
    """Rotate a batch counter-clockwise by quarter turns, by transpose and flip alone: no pixel is
    resampled.

    Args:
        images: (B, H, W, C), any dtype.
        turns: number of quarter turns; equal to `numpy.rot90(image, turns)` for every image.
        library: `keras.ops`, which runs on any backend and inside a model, `tensorflow`, inside
            `tf.data`, or `numpy`.

    Returns:
        (B, H, W, C), or (B, W, H, C) for an odd number of turns.

    Reference:
        Gidaris et al., ICLR 2018, section 3.1.1.
    """
    turns %= 4
    flip = getattr(library, "flip", None) or library.reverse
    if turns == 1:
        return flip(library.transpose(images, (0, 2, 1, 3)), axis=[1])
    if turns == 2:
        return flip(images, axis=[1, 2])
    if turns == 3:
        return library.transpose(flip(images, axis=[1]), (0, 2, 1, 3))
    return images


def rotate_and_enlarge(images: Tensor, degrees: float) -> Tensor:
    """Rotate uint8 images counter-clockwise about their centre, keep the central square that has no
    empty corner, enlarge it.

    The square has 1/√2 of the side, the largest that fits at every angle, and is resampled
    (bilinear) to the full side. The 0° view goes the same way, so that blur does not tell which
    views were turned.

    Args:
        images: uint8 (B, S, S, C).
        degrees: any angle.

    Returns:
        uint8 (B, S, S, C).
    """
    import tensorflow as tf

    side = images.shape[1]
    centre = (side - 1) / 2
    angle = math.radians(degrees)
    # From an output pixel to the input pixel it is read from; with y down, a counter-clockwise turn
    # reads clockwise.
    scale = 1 / math.sqrt(2)
    cosine, sine = scale * math.cos(angle), scale * math.sin(angle)
    transform = [
        cosine, -sine, centre - cosine * centre + sine * centre,
        sine, cosine, centre - sine * centre - cosine * centre,
        0.0, 0.0,
    ]  # fmt: skip
    turned = tf.raw_ops.ImageProjectiveTransformV3(
        images=tf.cast(images, tf.float32),
        transforms=tf.constant([transform], tf.float32),
        output_shape=tf.constant([side, side]),
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="NEAREST",
    )
    return tf.cast(tf.round(turned), images.dtype)
