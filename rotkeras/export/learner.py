"""A softmax head beside a frozen encoder, which learns a user's classes on the device, from
embeddings."""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray


class SoftmaxHead(tf.Module):
    """Softmax regression on standardised embeddings, learned by gradient steps with momentum, as
    signatures of a TFLite file.

    Args:
        mean: float (d,), of the embeddings of training images.
        deviation: float (d,), their standard deviation, above 0.
        classes: C, the most classes it can tell apart.

    The gradient is written out rather than taken, because a file of builtin operators has no tape:
    p = softmax(z·W + b), ∂/∂W = zᵀ(p − y)/n + weight_decay·W, ∂/∂b = Σ(p − y)/n, with z the
    standardised embeddings.

    Reference:
        Bishop, Pattern Recognition and Machine Learning, 2006, equations 4.104 to 4.109.
    """

    def __init__(
        self, mean: NDArray[np.floating], deviation: NDArray[np.floating], classes: int
    ) -> None:
        super().__init__(name="softmax_head")
        self.dimensions, self.classes = len(mean), classes
        self._mean = tf.constant(mean, tf.float32)
        self._factor = tf.constant(1.0 / deviation, tf.float32)
        self.weights = tf.Variable(tf.zeros((self.dimensions, classes)), name="weights")
        self.bias = tf.Variable(tf.zeros((classes,)), name="bias")
        self.weights_velocity = tf.Variable(
            tf.zeros((self.dimensions, classes)), name="weights_velocity"
        )
        self.bias_velocity = tf.Variable(tf.zeros((classes,)), name="bias_velocity")

    def classify(self, embeddings: Any) -> dict[str, Any]:
        """embeddings float32 (n, d) -> probabilities float32 (n, C)."""
        return {"probabilities": tf.nn.softmax(self._logits(embeddings))}

    def learn(
        self, embeddings: Any, labels: Any, learning_rate: Any, momentum: Any, weight_decay: Any
    ) -> dict[str, Any]:
        """One step: embeddings float32 (n, d), labels int32 (n,), three float32 numbers -> loss
        before the step, float32 ()."""
        standardised = (embeddings - self._mean) * self._factor
        log_probabilities = tf.nn.log_softmax(self._logits(embeddings))
        targets = tf.one_hot(labels, self.classes)
        difference = (tf.exp(log_probabilities) - targets) / tf.cast(
            tf.shape(labels)[0], tf.float32
        )
        for variable, velocity, gradient in (
            (
                self.weights,
                self.weights_velocity,
                tf.matmul(standardised, difference, transpose_a=True) + weight_decay * self.weights,
            ),
            (self.bias, self.bias_velocity, tf.reduce_sum(difference, axis=0)),
        ):
            step = momentum * velocity - learning_rate * gradient
            velocity.assign(step)
            variable.assign_add(step)
        return {"loss": -tf.reduce_mean(tf.reduce_sum(targets * log_probabilities, axis=1))}

    def get_head(self, unused: Any) -> dict[str, Any]:
        """A number that is not used (a signature needs an input) -> weights float32 (d, C), bias
        float32 (C,)."""
        nothing = 0.0 * unused
        return {"weights": self.weights + nothing, "bias": self.bias + nothing}

    def set_head(self, weights: Any, bias: Any) -> dict[str, Any]:
        """weights float32 (d, C), bias float32 (C,) -> classes int32 (1,), their number; forgets
        the momentum."""
        self.weights.assign(weights)
        self.bias.assign(bias)
        self.weights_velocity.assign(tf.zeros_like(weights))
        self.bias_velocity.assign(tf.zeros_like(bias))
        return {"classes": tf.shape(bias) + tf.zeros((1,), tf.int32)}

    def _logits(self, embeddings: Any) -> Any:
        return tf.matmul((embeddings - self._mean) * self._factor, self.weights) + self.bias


def statistics(
    embeddings: NDArray[np.floating],
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """(mean, deviation), (d,) each, of embeddings (n, d); a feature that hardly varies is not blown
    up to the others' size."""
    deviation = embeddings.std(axis=0)
    largest = max(float(deviation.max()), 1e-6)
    return embeddings.mean(axis=0), np.where(deviation > 1e-3 * largest, deviation, largest)


def signatures(head: SoftmaxHead) -> dict[str, tuple[Callable[..., Any], list[Any]]]:
    """{name: (function, the specification of its inputs)} of a head."""

    def spec(name: str, *shape: int | None, dtype: Any = tf.float32) -> Any:
        return tf.TensorSpec(shape, dtype, name=name)

    d, c = head.dimensions, head.classes
    numbers = [spec(name) for name in ("learning_rate", "momentum", "weight_decay")]
    return {
        "classify": (head.classify, [spec("embeddings", None, d)]),
        "learn": (
            head.learn,
            [spec("embeddings", None, d), spec("labels", None, dtype=tf.int32), *numbers],
        ),
        "get_head": (head.get_head, [spec("unused")]),
        "set_head": (head.set_head, [spec("weights", d, c), spec("bias", c)]),
    }
