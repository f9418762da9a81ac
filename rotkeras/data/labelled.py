"""Images with their class labels as (x, y), in the form of a pretext task."""

from typing import Any

import numpy as np
import tensorflow as tf

from rotkeras.data.source import Images
from rotkeras.errors import UserError


class Labelled:
    """Supervised batches from the same pipeline that pretext tasks use.

    Args:
        images: the part that the pipeline will read.
        classes: ascending labels; y is a label's position among them. None for those that occur.

    Raises:
        UserError: without labels.
    """

    def __init__(self, images: Images, classes: Any = None) -> None:
        if images.labels is None:
            raise UserError("Supervised batches need labels, and these images have none: give class folders or an array of labels.")
        classes = np.unique(images.labels) if classes is None else np.asarray(classes)
        numbers = np.full(len(images.array), -1, np.int64)
        numbers[images.rows] = np.searchsorted(classes, images.labels)
        self._numbers = tf.constant(numbers)

    def views(self, images: Any, key: Any) -> tuple[Any, Any]:
        """(x, y): the images as they are, uint8 (B, H, W, 3), and int64 class numbers (B,)."""
        return images, tf.gather(self._numbers, key.index % tf.shape(self._numbers, tf.int64)[0])

    def views_per_image(self) -> int:
        """One."""
        return 1
