"""Linear probes on fixed features: ridge regression in closed form, and logistic regression by
L-BFGS."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rotkeras.arguments.accepted import FeatureMatrix, LabelVector, Penalties, PositiveNumber
from rotkeras.arguments.checked import checked
from rotkeras.errors import UserError

Features = NDArray[np.float32]
Labels = NDArray[np.int64]

ALPHAS = tuple(10.0**exponent for exponent in range(-1, 6))
"""Ridge penalties that are compared, on the sum of squares of standardised features."""


@dataclass(frozen=True)
class LinearProbe:
    """A linear classifier of standardised features.

    Attributes:
        mean: (d,) of the training features.
        scale: (d,) their standard deviation, 1 where they do not vary.
        classes: (c,) the labels that training had, ascending.
        weight: (d, c).
        bias: (c,).
        penalty: the strength that was chosen or given.
    """

    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    classes: Labels
    weight: NDArray[np.float64]
    bias: NDArray[np.float64]
    penalty: float

    def predict(self, features: Features) -> Labels:
        """The class of each row of float features (n, d): int64 (n,)."""
        return np.asarray(self.classes[np.argmax(self.scores(features), axis=1)], np.int64)

    def scores(self, features: Features) -> NDArray[np.float64]:
        """What each class scores: (n, c) for float features (n, d)."""
        return np.asarray((features - self.mean) / self.scale @ self.weight + self.bias, np.float64)

    def accuracy(self, features: Features, labels: Labels) -> float:
        """Share of the rows of features (n, d) whose class is that of labels (n,)."""
        return float(np.mean(self.predict(features) == labels))


def check_pair(features: Features, labels: Labels) -> None:
    """Raise a `UserError` unless there is a label for each row of features."""
    if len(features) != len(labels):
        raise UserError(
            f"labels must have one value for each of {len(features)} rows of features, got"
            f" {len(labels)}."
        )


def check_labels(labels: Labels | None) -> Labels:
    """Labels that a classifier can learn from; a `UserError` for none, or for one class only."""
    if labels is None:
        raise UserError(
            "A probe needs labels, and these images have none: give class folders or an array of"
            " labels."
        )
    if len(np.unique(labels)) < 2:
        raise UserError(
            "A probe needs at least two classes, and these images are all of one: add images of"
            " another class."
        )
    return labels


def standardise(features: Features) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation (d,) of features (n, d); a deviation of 0 becomes 1."""
    mean = features.mean(axis=0, dtype=np.float64)
    scale = features.std(axis=0, dtype=np.float64)
    return mean, np.where(scale > 1e-12, scale, 1.0)


@checked
def ridge(
    features: FeatureMatrix,
    labels: LabelVector,
    alphas: Penalties = ALPHAS,
) -> LinearProbe:
    """Ridge regression on ±1 class targets, the penalty chosen by the exact leave-one-out squared
    error.

    All penalties share one eigendecomposition of the Gram matrix, so the choice costs no more than
    one fit.

    Args:
        features: float (n, d), d up to a few thousand.
        labels: integers (n,).
        alphas: penalties to choose from.

    Reference:
        Hastie, Tibshirani, Friedman, The Elements of Statistical Learning, equations 3.44 and 7.64.
    """
    check_pair(features, labels)
    labels = check_labels(labels)
    mean, scale = standardise(features)
    x = (features - mean) / scale
    classes = np.unique(labels)
    targets = np.where(labels[:, None] == classes, 1.0, -1.0)
    bias = targets.mean(axis=0)
    targets = targets - bias

    eigenvalues, vectors = np.linalg.eigh(x.T @ x)
    eigenvalues = np.maximum(eigenvalues, 0.0)
    projected = x @ vectors
    moments = projected.T @ targets
    best_error, best_alpha = np.inf, alphas[0]
    for alpha in alphas:
        shrunk = 1.0 / (eigenvalues + alpha)
        residual = targets - projected @ (shrunk[:, None] * moments)
        leverage = np.einsum("ij,j,ij->i", projected, shrunk, projected) + 1.0 / len(x)
        error = float(np.mean((residual / np.maximum(1.0 - leverage, 1e-12)[:, None]) ** 2))
        if error < best_error:
            best_error, best_alpha = error, alpha
    weight = vectors @ (moments / (eigenvalues + best_alpha)[:, None])
    return LinearProbe(mean, scale, classes, weight, bias, best_alpha)


@checked
def logistic(
    features: FeatureMatrix, labels: LabelVector, penalty: PositiveNumber = 1e-3
) -> LinearProbe:
    """Multinomial logistic regression by L-BFGS (scikit-learn), the mean loss plus penalty/2 ·
    ‖weight‖².

    Args:
        features: float (n, d).
        labels: integers (n,).
        penalty: strength of the L2 term.
    """
    from sklearn.linear_model import LogisticRegression

    check_pair(features, labels)
    labels = check_labels(labels)
    mean, scale = standardise(features)
    model = LogisticRegression(C=1.0 / (penalty * len(labels)), max_iter=500, tol=1e-4)
    model.fit((features - mean) / scale, labels)
    weight, bias = model.coef_.T, model.intercept_
    if len(model.classes_) == 2:  # one column of scores holds both classes
        weight, bias = np.hstack([0 * weight, weight]), np.array([0.0, bias[0]])
    return LinearProbe(mean, scale, np.asarray(model.classes_, np.int64), weight, bias, penalty)


NAMES = {"ridge": ridge, "logistic": logistic, "global-logistic": logistic}
"""Linear probes by the name that a recipe uses."""
