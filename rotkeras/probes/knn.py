"""The weighted nearest-neighbour probe: no training, and no setting that could be tuned to flatter."""

import numpy as np
from numpy.typing import NDArray

from rotkeras.probes.linear import Features, Labels, check_labels, standardise


def knn_accuracy(
    train_features: Features,
    train_labels: Labels,
    features: Features,
    labels: Labels,
    neighbours: int = 20,
    temperature: float = 0.07,
) -> float:
    """Accuracy of a cosine kNN vote, each neighbour weighing exp(similarity / temperature).

    Args:
        train_features: float (n, d); standardised here, as are `features`, by the training mean and deviation.
        train_labels: integers (n,).
        features: float (m, d).
        labels: integers (m,).
        neighbours: k; at most n are used.
        temperature: of the weights.

    Returns:
        Share of the m rows that are told right.

    Reference: Wu, Xiong, Yu, Lin, Unsupervised Feature Learning via Non-Parametric Instance Discrimination, CVPR 2018,
    section 3.4.
    """
    train_labels = check_labels(train_labels)
    mean, scale = standardise(train_features)
    bank = _unit((train_features - mean) / scale)
    k = min(neighbours, len(bank))
    classes, numbers = np.unique(train_labels, return_inverse=True)
    targets = np.eye(len(classes))[numbers]
    hits = 0
    for start in range(0, len(features), 1024):
        query = _unit((features[start : start + 1024] - mean) / scale)
        similarity = query @ bank.T
        nearest = np.argpartition(-similarity, k - 1, axis=1)[:, :k]
        weights = np.exp((np.take_along_axis(similarity, nearest, axis=1) - 1.0) / temperature)
        votes = np.einsum("qk,qkc->qc", weights, targets[nearest])
        hits += int(np.sum(classes[np.argmax(votes, axis=1)] == labels[start : start + 1024]))
    return hits / len(features)


def _unit(x: NDArray[np.floating]) -> Features:
    norm = np.linalg.norm(x, axis=1, keepdims=True)
    return np.asarray(x / np.maximum(norm, 1e-12), np.float32)
