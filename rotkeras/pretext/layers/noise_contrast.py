"""How much more likely rows of a table are by the model than by chance."""

import math
from typing import Any

import keras

from rotkeras.arguments.accepted import Positive, Temperature
from rotkeras.errors import must
from rotkeras.pretext.gather import gather
from rotkeras.pretext.layers.directions import check_count
from rotkeras.pretext.losses.nce import log_ratios

_NONE = -1e9
"""In place of the similarity and of the log-ratio of a negative that does not count."""


@keras.saving.register_keras_serializable(package="rotkeras")
class NoiseContrast(keras.layers.Layer):
    """log(P / (m · Pn)) of each image's own row and of the negatives, for
    `rotkeras.pretext.losses.nce`.

    P = exp(similarity / temperature) / Z, where Z is the sum of exp(similarity / temperature) over
    all N rows. Each batch estimates Z, without gradient, as the mean over its images of what their
    own rows add, and N − 1 times the mean over the negatives that are not the image's own row. With
    `fixed`, Z stays as the first batch of training estimates it: a weight that is saved.

    Args:
        images: N, rows of the table.
        temperature: from 0.001 on.
        fixed: whether Z stays as the first batch of training estimates it, as published.
        **arguments: of `keras.layers.Layer`.

    Input shape: a list of vectors (B, d), their own rows (B, d), negatives (m, d), which all images
    share, int32 positions (B,) of the own rows, and int32 places (m,) of the negatives.
    Output shape: float32 (B, 1 + m), the own row first; −10⁹ where a negative is the own row.

    Raises:
        UserError: for images below 1, and another temperature.

    Reference:
        Wu, Xiong, Yu, Lin, Unsupervised Feature Learning via Non-Parametric Instance
        Discrimination, CVPR 2018, section 3.2.
    """

    def __init__(
        self,
        images: Positive,
        temperature: Temperature = 0.07,
        fixed: bool = False,
        **arguments: Any,
    ) -> None:
        check_count("images", images)
        if not isinstance(temperature, int | float) or not temperature >= 0.001:
            raise must("temperature", "be at least 0.001", temperature)
        # In float32 under any policy: a temperature of 0.07 multiplies errors.
        super().__init__(**{**arguments, "dtype": "float32"})
        if not isinstance(fixed, bool):
            raise must("fixed", "be true or false", fixed)
        self.images, self.temperature, self.fixed = images, temperature, fixed
        self.log_normaliser, self.estimated = (
            self.add_weight(
                (),
                "zeros",
                trainable=False,
                dtype="float32",
                aggregation="only_first_replica",
                name=name,
            )
            for name in ("log_normaliser", "estimated")
        )
        self.built = True

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """The log-ratio of each image's own row and of each negative."""
        ops = keras.ops
        vectors, own, negatives, positions, places = inputs
        vectors = ops.cast(vectors, "float32")
        mine = ops.sum(vectors * own, axis=1, keepdims=True)
        others = ops.matmul(vectors, ops.transpose(negatives))
        same = ops.cast(positions, "int32")[:, None] == places[None]
        normaliser = self._normaliser(mine, ops.where(same, _NONE, others), training)
        scores = ops.concatenate([mine, others], axis=1)
        ratios = log_ratios(scores, normaliser, ops.shape(others)[1], self.images, self.temperature)
        return ops.where(
            ops.concatenate([ops.zeros_like(same[:, :1]), same], axis=1), _NONE, ratios
        )

    def _normaliser(self, own: Any, others: Any, training: bool | None) -> Any:
        """log Z of this batch, or the fixed one after the first step of training.

        An image's own row is 1 of N, so it must not be averaged with the negatives: it would count
        N / (1 + m) times, and P of an own row could never exceed (1 + m) / N.
        """
        ops = keras.ops
        own, _ = gather(ops.stop_gradient(own))
        others, _ = gather(ops.stop_gradient(others))
        counted = ops.sum(ops.cast(others > _NONE / 2, "float32"))
        of_batch = ops.logaddexp(
            _log_mean(own / self.temperature, ops.cast(ops.size(own), "float32")),
            _log_mean(others / self.temperature, ops.maximum(counted, 1.0))
            + math.log(max(self.images - 1, 1)),
        )
        if not self.fixed:
            return of_batch
        known = self.estimated.value > 0
        normaliser = ops.where(known, self.log_normaliser.value, of_batch)
        if training:
            self.log_normaliser.assign(normaliser)
            self.estimated.assign(ops.ones(()))
        return normaliser

    def compute_output_spec(self, inputs: Any, training: bool | None = None) -> Any:
        """float32 (B, 1 + m)."""
        count = inputs[2].shape[0]
        columns = None if count is None else 1 + count
        return keras.KerasTensor((inputs[0].shape[0], columns), dtype="float32")

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {
            **super().get_config(),
            "images": self.images,
            "temperature": self.temperature,
            "fixed": self.fixed,
        }


def _log_mean(logits: Any, count: Any) -> Any:
    """log of the sum of exp(logits) over a count."""
    return keras.ops.logsumexp(logits) - keras.ops.log(count)
