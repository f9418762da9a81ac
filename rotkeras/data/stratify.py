"""Draws that keep the proportions of the classes."""

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]


def stratified(
    labels: NDArray[np.int64], count: int, seed: int, both_sides: bool = False
) -> NDArray[np.int64]:
    """Positions of `count` images, in which each class has its share.

    The share of a class is rounded down; what is left goes to the classes with the largest
    remainders, so that the total is exact. Then every class gets at least one image, as far as
    `count` allows.

    Args:
        labels: int64 (N,).
        count: how many to draw, 0 … N.
        seed: of the draw.
        both_sides: whether the images that are not drawn need every class too, as in a split: of
            each class at least one image stays, and of a class with a single image this one.

    Returns:
        int64 (count,), ascending.
    """
    classes, numbers = np.unique(labels, return_inverse=True)
    sizes = np.bincount(numbers, minlength=len(classes))
    random = np.random.default_rng(seed)
    order = random.permutation(len(labels))
    quotas = _quotas(sizes, count, random)
    most = sizes - 1 if both_sides else sizes
    quotas = _within(quotas, np.minimum(1, most), most)
    of_class = order[np.argsort(numbers[order], kind="stable")]  # classes one after the other
    starts = np.cumsum(sizes) - sizes
    chosen = [of_class[start : start + quota] for start, quota in zip(starts, quotas, strict=True)]
    return np.asarray(np.sort(np.concatenate(chosen)), np.int64)


def _quotas(sizes: Counts, count: int, random: np.random.Generator) -> Counts:
    """How many images of each class; equal remainders are decided by the draw."""
    exact = sizes * (count / sizes.sum())
    quotas: Counts = np.floor(exact + 1e-9).astype(np.int64)
    rest = count - int(quotas.sum())
    order = np.lexsort((random.permutation(len(sizes)), np.round(quotas - exact, 9)))
    quotas[order[:rest]] += 1
    return quotas


def _within(quotas: Counts, least: Counts, most: Counts) -> Counts:
    """Quotas with the same total that keep the limits as far as they can: what one class lacks or
    has too much is exchanged with the class that is furthest from its limit."""
    quotas = quotas.copy()
    for place in range(len(quotas)):
        step = int(quotas[place] < least[place]) - int(quotas[place] > most[place])
        room = (quotas - least if step > 0 else most - quotas) if step else np.zeros(1)
        if room.max() > 0:
            quotas[place] += step
            quotas[int(np.argmax(room))] -= step
    return quotas
