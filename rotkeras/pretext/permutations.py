"""Sets of permutations that differ from each other at many places."""

import itertools
import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from rotkeras.errors import must

_MOST_TILES = 9
"""Of ten tiles there are 3.6 million orders, which are no longer compared in seconds."""
_LEVELS = 16
"""More than there are Hamming distances, so that a sum of distances and the least of them are one
number."""


def permutation_set(count: int, tiles: int = 9, measure: str = "mean") -> NDArray[np.int32]:
    """Permutations that are chosen one after the other, each as far as can be from those before.

    The first is the identity. The distance of two permutations is the number of places at which
    they differ (Hamming). Of those that are equally far by the one measure, the farthest by the
    other is taken, and of these the first in lexicographic order; so nothing is drawn.

    Args:
        count: how many, from 1 to tiles!.
        tiles: numbers that are permuted, from 2 to 9.
        measure: "mean" for the largest mean distance to those chosen before, as published, or "min"
            for the largest distance to the nearest of them.

    Returns:
        int32 (count, tiles), read-only: rows of 0 … tiles − 1. It is kept in memory for the next
        call.

    Raises:
        UserError: for other numbers, and for more permutations than there are.

    Reference:
        Noroozi, Favaro, Unsupervised Learning of Visual Representations by Solving Jigsaw Puzzles,
        ECCV 2016, algorithm 1. Its first permutation is drawn, and ties are not spoken of; there
        are many, from the tenth permutation on.
    """
    if not 2 <= tiles <= _MOST_TILES:
        raise must("tiles", f"be from 2 to {_MOST_TILES}", tiles)
    if measure not in ("mean", "min"):
        raise must("measure", "be mean or min", measure)
    most = math.factorial(tiles)
    if not 1 <= count <= most:
        raise must("permutations", f"be from 1 to {most:,}, the orders of {tiles} tiles", count)
    return _chosen(int(count), int(tiles), measure)


@lru_cache(maxsize=8)
def _chosen(count: int, tiles: int, measure: str) -> NDArray[np.int32]:
    orders = all_orders(tiles)
    places = np.ascontiguousarray(orders.T)  # compared place by place
    total = np.zeros(len(orders), np.int32)
    least = np.full(len(orders), tiles, np.int32)
    chosen = [0]
    for _ in range(count - 1):
        distance = np.zeros(len(orders), np.uint8)
        for place, number in zip(places, orders[chosen[-1]], strict=True):
            distance += place != number
        total += distance
        np.minimum(least, distance, out=least)
        # One number for both measures. Those that are chosen already are never farthest: they may
        # have the mean of all others.
        rank = total * _LEVELS + least if measure == "mean" else least * (count * _LEVELS) + total
        rank[chosen] = -1
        chosen.append(int(np.argmax(rank)))
    made = orders[chosen].astype(np.int32)
    made.flags.writeable = False
    return made


@lru_cache(maxsize=2)
def all_orders(tiles: int) -> NDArray[np.uint8]:
    """All permutations in lexicographic order: uint8 (tiles!, tiles)."""
    flat = itertools.chain.from_iterable(itertools.permutations(range(tiles)))
    return np.fromiter(flat, np.uint8).reshape(-1, tiles)
