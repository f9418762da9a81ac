"""The weighted nearest-neighbour probe: no training, and no setting that could be tuned to
flatter."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rotkeras.arguments.accepted import FeatureMatrix, LabelVector, Positive, PositiveNumber
from rotkeras.arguments.checked import checked
from rotkeras.probes.linear import Features, Labels, check_labels, check_pair, standardise

TEMPERATURE = 0.07


@dataclass(frozen=True)
class KnnProbe:
    """A cosine vote of the k nearest training rows, each weighing exp(similarity / temperature).

    Attributes:
        mean: (d,) of the training features.
        scale: (d,) their standard deviation, 1 where they do not vary.
        bank: float32 (n, d), standardised and of unit length.
        numbers: (n,), the position of each row's label among the classes.
        classes: (c,) the labels that training had, ascending.
        neighbours: k.
        temperature: of the weights.
    """

    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    bank: Features
    numbers: Labels
    classes: Labels
    neighbours: int
    temperature: float = TEMPERATURE

    def scores(self, features: Features) -> NDArray[np.float64]:
        """The share of the vote that each class gets: (m, c) for float features (m, d)."""
        k = min(self.neighbours, len(self.bank))
        parts = []
        for start in range(0, len(features), 1024):
            similarity = (
                _unit((features[start : start + 1024] - self.mean) / self.scale) @ self.bank.T
            )
            nearest = np.argpartition(-similarity, k - 1, axis=1)[:, :k]
            weights = np.exp(
                (np.take_along_axis(similarity, nearest, axis=1) - 1.0) / self.temperature
            )
            votes = np.zeros((len(similarity), len(self.classes)))
            np.add.at(votes, (np.arange(len(votes))[:, None], self.numbers[nearest]), weights)
            parts.append(votes)
        return np.concatenate(parts)

    def predict(self, features: Features) -> Labels:
        """The class of each row of float features (m, d): int64 (m,)."""
        return np.asarray(self.classes[np.argmax(self.scores(features), axis=1)], np.int64)

    def accuracy(self, features: Features, labels: Labels) -> float:
        """Share of the rows of features (m, d) whose class is that of labels (m,)."""
        return float(np.mean(self.predict(features) == labels))


@checked
def knn(
    features: FeatureMatrix,
    labels: LabelVector,
    neighbours: Positive = 20,
    temperature: PositiveNumber = TEMPERATURE,
) -> KnnProbe:
    """A kNN probe of training features, which are standardised by their mean and deviation.

    Args:
        features: float (n, d).
        labels: integers (n,).
        neighbours: k; at most n are used.
        temperature: of the weights.

    Reference:
        Wu, Xiong, Yu, Lin, Unsupervised Feature Learning via Non-Parametric Instance
        Discrimination, CVPR 2018, section 3.4.
    """
    check_pair(features, labels)
    labels = check_labels(labels)
    mean, scale = standardise(features)
    classes, numbers = np.unique(labels, return_inverse=True)
    return KnnProbe(
        mean, scale, _unit((features - mean) / scale), numbers, classes, neighbours, temperature
    )


def _unit(x: NDArray[np.floating]) -> Features:
    norm = np.linalg.norm(x, axis=1, keepdims=True)
    return np.asarray(x / np.maximum(norm, 1e-12), np.float32)
