"""The contrastive loss and metric as Keras objects, which gather the views of all devices."""

from typing import Any

import keras
from keras import ops

from rotkeras.pretext.gather import gather
from rotkeras.pretext.losses.nt_xent import nt_xent, similarities
from rotkeras.pretext.over_devices import OverDevices, flat_rows

Tensor = Any


@keras.saving.register_keras_serializable(package="rotkeras")
class NTXent(OverDevices):
    """`rotkeras.pretext.losses.nt_xent` of predictions (2B, d), or (B, 2, d) of views made inside
    the step; the labels are not used.

    Args:
        temperature: of the loss.
        **arguments: of `keras.losses.Loss`.
    """

    def __init__(self, temperature: float = 0.5, **arguments: Any) -> None:
        super().__init__(**{"name": "nt_xent", **arguments})
        self.temperature = temperature

    def of_rows(self, rows: Tensor, everything: Tensor, offset: Any) -> Tensor:
        """The loss of each view."""
        return nt_xent(rows, self.temperature, everything, offset)

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {**super().get_config(), "temperature": self.temperature}


@keras.saving.register_keras_serializable(package="rotkeras")
class ContrastiveAccuracy(keras.metrics.Mean):
    """The share of views whose nearest view of the batch, by cosine similarity, is of the same
    image. It depends on the size of the batch: of 2N views each has 2N − 2 others to be mistaken
    for."""

    def update_state(self, y_true: Tensor, y_pred: Tensor, sample_weight: Any = None) -> None:
        """Count the views of a batch.

        Args:
            y_true: not used.
            y_pred: (2B, d), or (B, 2, d).
            sample_weight: not used.
        """
        views = flat_rows(y_pred)
        super().update_state(count_right(views, *gather(views)))


def count_right(views: Tensor, others: Tensor, offset: Any) -> Tensor:
    """1 for each view whose partner is nearer to it than all others: float32 (R,); arguments as of
    `rotkeras.pretext.losses.nt_xent`."""
    logits, positives = similarities(views, 1.0, others, offset)
    partner = ops.max(ops.where(positives, logits, -1e9), axis=1)
    other = ops.max(ops.where(positives, -1e9, logits), axis=1)
    # Ties count as wrong: collapsed embeddings would have an accuracy of 100 %.
    return ops.cast(partner > other, "float32")
