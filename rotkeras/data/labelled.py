"""Images with their class labels as (x, y), in the form of a pretext task."""

from typing import Any

import numpy as np

from rotkeras.data.source import Images
from rotkeras.errors import UserError


class Labelled:
    """Supervised batches from the same pipelines that pretext tasks use.

    Args:
        images: the part that the pipeline will read.
        classes: ascending labels; y is a label's position among them. None for those that occur.

    Raises:
        UserError: without labels.
    """

    in_numpy = True

    def __init__(self, images: Images, classes: Any = None) -> None:
        if images.labels is None:
            raise UserError(
                "Supervised batches need labels, and these images have none: give class folders or"
                " an array of labels."
            )
        classes = np.unique(images.labels) if classes is None else np.asarray(classes)
        self._numbers = np.full(len(images.array), -1, np.int64)
        self._numbers[images.rows] = np.searchsorted(classes, images.labels)

    def views(self, images: Any, key: Any) -> tuple[Any, Any]:
        """(x, y): the images as they are, uint8 (B, H, W, 3), and int64 class numbers (B,); tensors
        or arrays, as the key is."""
        row = key.index % len(
            self._numbers
        )  # the repeats of an image lie beyond the rows of the array
        if isinstance(row, np.ndarray):
            return images, self._numbers[row]
        import tensorflow as tf

        return images, tf.gather(self._numbers, row)

    def views_per_image(self) -> int:
        """One."""
        return 1
