"""The loss and metric of AMDIM as Keras objects, which gather the views of all devices."""

from typing import Any

import keras
from keras import ops

from rotkeras.data.resized_crop import WHOLE
from rotkeras.pretext.gather import gather
from rotkeras.pretext.losses.local_global import local_global
from rotkeras.pretext.over_devices import flat_rows

Tensor = Any

_RANK = 3
"""Dimensions of a row: map, global and local features, dimension."""


@keras.saving.register_keras_serializable(package="rotkeras")
class LocalGlobal(keras.losses.Loss):
    """`rotkeras.pretext.losses.local_global` of predictions (2B, T, 1 + L, d), or (B, 2, T, 1 + L,
    d) of views made inside the step.

    The labels (2B,), or (B, 2), are locations of the last map, in 1/65,536 of all.

    Args:
        clip: of the scores.
        regularisation: of the scores.
        **arguments: of `keras.losses.Loss`.
    """

    def __init__(self, clip: float = 20.0, regularisation: float = 0.04, **arguments: Any) -> None:
        super().__init__(**{"name": "local_global", **arguments})
        self.clip = clip
        self.regularisation = regularisation

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """The loss of each view: float32 (2B,) or (B, 2)."""
        rows = flat_rows(y_pred, _RANK)
        everything, offset = gather(rows)
        share = ops.cast(ops.reshape(y_true, (-1,)), "float32") / WHOLE
        locations = ops.floor(share * (rows.shape[2] - 1))
        losses = local_global(rows, locations, self.clip, self.regularisation, everything, offset)
        return ops.reshape(losses, ops.shape(y_pred)[: len(y_pred.shape) - _RANK])

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {
            **super().get_config(),
            "clip": self.clip,
            "regularisation": self.regularisation,
        }


@keras.saving.register_keras_serializable(package="rotkeras")
class LocalGlobalAccuracy(keras.metrics.Mean):
    """The share of views whose global features have a higher mean score with the local features of
    the other view of the image than with those of any other image of the batch. Ties count as
    wrong, so a collapse gives 0."""

    def update_state(self, y_true: Tensor, y_pred: Tensor, sample_weight: Any = None) -> None:
        """Count the views of a batch.

        Args:
            y_true: not used.
            y_pred: (2B, T, 1 + L, d), or (B, 2, T, 1 + L, d).
            sample_weight: not used.
        """
        rows = flat_rows(y_pred, _RANK)
        pairs = ops.reshape(rows, (-1, 2, *rows.shape[1:]))
        of_view, local = pairs[:, :, 0, 0], ops.mean(pairs[:, :, :, 1:], axis=(2, 3))
        everything, offset = gather(local)
        own = ops.arange(ops.shape(of_view)[0]) + ops.cast(offset, "int32")
        # (B, 2, N): the global features of each view with the other view of each image.
        scores = ops.einsum("bvd,nvd->bvn", of_view, ops.flip(everything, axis=1))
        same = (own[:, None] == ops.arange(ops.shape(everything)[0])[None])[:, None]
        hit = ops.max(ops.where(same, scores, -1e9), axis=-1)
        other = ops.max(ops.where(same, -1e9, scores), axis=-1)
        super().update_state(ops.cast(hit > other, "float32"))
