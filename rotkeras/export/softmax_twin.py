"""The head of a learner once more, in NumPy, to compare the file's signatures with."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]


class SoftmaxTwin:
    """Softmax regression on standardised embeddings by gradient steps with momentum.

    Args:
        mean, deviation: float (d,): embeddings e are standardised to (e − mean) / deviation.
        weights: float (d, C).
        bias: float (C,).
    """

    def __init__(
        self, mean: NDArray[Any], deviation: NDArray[Any], weights: Numbers, bias: Numbers
    ) -> None:
        self._mean, self._factor = mean, 1.0 / deviation
        self._weights, self._bias = weights.copy(), bias.copy()
        self._velocities = np.zeros_like(weights), np.zeros_like(bias)

    def probabilities(self, embeddings: NDArray[Any]) -> Numbers:
        """(n, C) for embeddings (n, d)."""
        logits = (embeddings - self._mean) * self._factor @ self._weights + self._bias
        exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))

    def step(
        self,
        embeddings: NDArray[Any],
        labels: NDArray[Any],
        rate: float,
        momentum: float,
        decay: float,
    ) -> float:
        """One step on embeddings (n, d) of classes (n,); the mean cross-entropy before it."""
        probabilities = self.probabilities(embeddings)
        targets = np.eye(len(self._bias))[labels]
        difference = (probabilities - targets) / len(labels)
        gradients = (
            ((embeddings - self._mean) * self._factor).T @ difference + decay * self._weights,
            difference.sum(axis=0),
        )
        steps = [
            momentum * old - rate * new
            for old, new in zip(self._velocities, gradients, strict=True)
        ]
        self._velocities = steps[0], steps[1]
        self._weights, self._bias = self._weights + steps[0], self._bias + steps[1]
        return float(
            -np.log(np.maximum(probabilities[np.arange(len(labels)), labels], 1e-30)).mean()
        )
