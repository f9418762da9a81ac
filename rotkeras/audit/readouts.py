"""How much some features tell: of classes and of numbers by a ridge regression on other images, of
pairs by nearest neighbours."""

import numpy as np
from numpy.typing import NDArray

Features = NDArray[np.float64]

PENALTY = 10.0
"""Of the ridge, on the sum of squares of standardised features: next to nothing for 100 features of
1000 views."""

CANDIDATES = 64
"""Images among whose views the nearest is looked for: few enough for any set, and the same for
all, since accuracy falls as they grow."""


def classified(
    features: Features, labels: NDArray[np.int64], classes: int, seed: int = 0
) -> NDArray[np.float64]:
    """The share of each image's rows whose class a linear classifier of the features tells.

    The classifier is a ridge regression on the classes, fitted on one half of the images and
    evaluated on the other, and the other way round.

    Args:
        features: float64 (N, R, D): images, rows of each, features.
        labels: int64 (N, R).
        classes: how many there are.
        seed: of the halves.

    Returns:
        float64 (N,), 0 … 1.
    """
    targets = np.eye(classes)[labels]
    scores = _predicted(features, targets, seed)
    return np.asarray((scores.argmax(axis=2) == labels).mean(axis=1))


def explained(
    features: Features, parameters: NDArray[np.float64], seed: int = 0
) -> NDArray[np.float64]:
    """The share of the variance of parameters that a ridge regression of the features explains, as
    each image has it: 1 − squared error / variance, averaged over rows and parameters.

    The mean over the images is the share over all. A parameter that is the same everywhere is left
    out.

    Args:
        features: float64 (N, R, D).
        parameters: float64 (N, R, P).
        seed: of the halves.

    Returns:
        float64 (N,), at most 1, below 0 for an image that is predicted worse than by the mean.
    """
    variance = parameters.reshape(-1, parameters.shape[2]).var(axis=0)
    varies = variance > 1e-12
    if not varies.any():
        return np.zeros(len(features))
    error = (_predicted(features, parameters, seed) - parameters)[..., varies] ** 2
    return np.asarray(1 - (error / variance[varies]).mean(axis=(1, 2)))


def matched(features: Features, seed: int = 0) -> NDArray[np.float64]:
    """The share of each image's two views whose nearest view, among one view of each of
    `CANDIDATES` images, is the other one of the image.

    Features are standardised over all views. A view that is as near as another does not count.

    Args:
        features: float64 (N, 2, D).
        seed: of the draw of the candidates.

    Returns:
        float64 (M,), 0 … 1: of the M images that make whole groups of candidates.
    """
    flat = features.reshape(-1, features.shape[2])
    spread = flat.std(axis=0)
    scaled = (features - flat.mean(axis=0)) / np.where(spread > 1e-9, spread, 1.0)
    group = candidates(len(features))
    order = np.random.default_rng(seed).permutation(len(features))
    found = []
    for begin in range(0, len(order) - group + 1, group):
        first, second = scaled[order[begin : begin + group]].transpose(1, 0, 2)
        distances = (first**2).sum(axis=1)[:, None] + (second**2).sum(axis=1) - 2 * first @ second.T
        found.append((_nearest(distances) + _nearest(distances.T)) / 2)
    return np.concatenate(found)


def candidates(images: int) -> int:
    """How many images `matched` compares."""
    return min(CANDIDATES, images)


def _nearest(distances: Features) -> NDArray[np.float64]:
    """1 for each row whose own column is nearer than every other, by more than rounding."""
    own = np.diagonal(distances)
    others = distances + np.diag(np.full(len(distances), np.inf))
    return np.asarray((own < others.min(axis=1, initial=np.inf) - 1e-9), np.float64)


def _predicted(features: Features, targets: Features, seed: int) -> Features:
    """(N, R, T): of each half of the images by a ridge regression on the other half."""
    found = np.empty(targets.shape)
    halves = np.array_split(np.random.default_rng(seed).permutation(len(features)), 2)
    for fitted, held_out in (halves, halves[::-1]):
        x = features[fitted].reshape(-1, features.shape[2])
        mean, scale = x.mean(axis=0), x.std(axis=0)
        scale = np.where(scale > 1e-9, scale, 1.0)
        x = (x - mean) / scale
        y = targets[fitted].reshape(len(x), -1)
        centre = y.mean(axis=0)
        weight = np.linalg.solve(x.T @ x + PENALTY * np.eye(x.shape[1]), x.T @ (y - centre))
        found[held_out] = (features[held_out] - mean) / scale @ weight + centre
    return found
