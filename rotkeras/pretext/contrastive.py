"""The contrastive loss and metric as Keras objects, which gather the views of all devices."""

from typing import Any

import keras
from keras import ops

from rotkeras.pretext.gather import gather
from rotkeras.pretext.losses.nt_xent import nt_xent, similarities

Tensor = Any


@keras.saving.register_keras_serializable(package="rotkeras")
class NTXent(keras.losses.Loss):
    """`rotkeras.pretext.losses.nt_xent` of predictions (2B, d), or (B, 2, d) of views made inside
    the step; the labels are not used.

    Args:
        temperature: of the loss.
        **arguments: of `keras.losses.Loss`.
    """

    def __init__(self, temperature: float = 0.5, **arguments: Any) -> None:
        super().__init__(**{"name": "nt_xent", **arguments})
        self.temperature = temperature

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """The loss of each view: (2B, d) -> (2B,), or (B, 2, d) -> (B, 2)."""
        views, others, offset = gathered(y_pred)
        return ops.reshape(nt_xent(views, self.temperature, others, offset), ops.shape(y_pred)[:-1])

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
        views, others, offset = gathered(y_pred)
        logits, positives = similarities(views, 1.0, others, offset)
        partner = ops.max(ops.where(positives, logits, -1e9), axis=1)
        other = ops.max(ops.where(positives, -1e9, logits), axis=1)
        # Ties count as wrong: collapsed embeddings would have an accuracy of 100 %.
        super().update_state(ops.cast(partner > other, "float32"))


def gathered(y_pred: Tensor) -> tuple[Tensor, Tensor, Any]:
    """(views of this device (2B, d), views of all devices, position of the first in these).

    Under `tf.distribute` each replica has a part of the batch; on JAX, `jit` sees the whole.
    """
    views = ops.reshape(y_pred, (-1, ops.shape(y_pred)[-1]))
    others, offset = gather(ops.cast(views, "float32"))
    return views, others, offset
