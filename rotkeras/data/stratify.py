"""Draws that keep the proportions of the classes."""

import numpy as np
from numpy.typing import NDArray


def stratified(
    labels: NDArray[np.int64], count: int, seed: int, both_sides: bool = False
) -> NDArray[np.int64]:
    """Positions of `count` images, each class by its share.

    Each class gets its share rounded down; what is left goes to the classes with the largest
    remainders, so that the total is exact.

    Args:
        labels: int64 (N,).
        count: how many to draw, 0 … N.
        seed: of the draw.
        both_sides: whether each class with two images or more has one image at least among the
            drawn and one among the others, as far as `count` allows.

    Returns:
        int64 (count,), ascending.
    """
    classes, numbers = np.unique(labels, return_inverse=True)
    sizes = np.bincount(numbers, minlength=len(classes))
    random = np.random.default_rng(seed)
    order = random.permutation(len(labels))
    quotas = _quotas(sizes, count, random)
    if both_sides:
        quotas = _on_both_sides(quotas, sizes)
    chosen = [order[numbers[order] == each][:quota] for each, quota in enumerate(quotas)]
    return np.asarray(np.sort(np.concatenate(chosen)), np.int64)


def _quotas(sizes: NDArray[np.int64], count: int, random: np.random.Generator) -> NDArray[np.int64]:
    """How many of each class; among equal remainders chance decides."""
    exact = sizes * (count / sizes.sum())
    quotas: NDArray[np.int64] = np.floor(exact + 1e-9).astype(np.int64)
    rest = count - int(quotas.sum())
    order = np.lexsort((random.permutation(len(sizes)), np.round(quotas - exact, 9)))
    quotas[order[:rest]] += 1
    return quotas


def _on_both_sides(quotas: NDArray[np.int64], sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    quotas = quotas.copy()
    # A class with one image stays whole on the other side; one that would be drawn whole keeps one.
    least = np.where(sizes > 1, 1, 0)
    most = np.where(sizes > 1, sizes - 1, 0)
    for place in np.argsort(sizes, kind="stable"):
        for wrong, step in ((quotas[place] < least[place], 1), (quotas[place] > most[place], -1)):
            if not wrong:
                continue
            # Taken from, or given to, the class that is furthest from its limit.
            room = quotas - np.maximum(least, 1) if step > 0 else most - quotas
            room[place] = 0
            other = int(np.argmax(room))
            if room[other] > 0:
                quotas[place] += step
                quotas[other] -= step
    return quotas
