"""Sets of permutations: against brute force, and what they promise."""

import itertools
import math

import numpy as np
import pytest

from rotkeras import UserError
from rotkeras.pretext.permutations import all_orders, permutation_set


def by_hand(count, tiles, measure):
    """The rule of `permutation_set`, with loops over tuples."""
    orders = list(itertools.permutations(range(tiles)))
    chosen = [orders[0]]
    while len(chosen) < count:
        best = None
        for order in orders:
            if order in chosen:
                continue
            distances = [sum(a != b for a, b in zip(order, each, strict=True)) for each in chosen]
            both = sum(distances), min(distances)
            rank = both if measure == "mean" else both[::-1]
            if best is None or rank > best[0]:
                best = rank, order
        chosen.append(best[1])
    return np.array(chosen)


@pytest.mark.parametrize("measure", ["mean", "min"])
@pytest.mark.parametrize(("tiles", "count"), [(3, 6), (4, 5), (4, 24), (2, 2)])
def test_it_is_the_set_of_brute_force(tiles, count, measure):
    made = permutation_set(count, tiles, measure)
    np.testing.assert_array_equal(made, by_hand(count, tiles, measure))


@pytest.mark.parametrize("count", [64, 100, 1000])
def test_sets_of_nine_tiles_are_far_apart(count):
    made = permutation_set(count)
    assert made.shape == (count, 9)
    np.testing.assert_array_equal(made[0], range(9))
    np.testing.assert_array_equal(np.sort(made, axis=1), np.tile(np.arange(9), (count, 1)))
    assert len({tuple(order) for order in made.tolist()}) == count
    distances = np.sum(made[:, None] != made[None], axis=2)[np.triu_indices(count, 1)]
    # Permutations that are drawn differ at 8 of 9 places on the mean.
    assert distances.mean() > 8
    # The first nine differ at every place: no more of nine can.
    assert np.sum(made[:9, None] != made[None, :9], axis=2)[np.triu_indices(9, 1)].min() == 9


def test_the_nearest_two_of_a_set_are_farther_by_the_other_measure():
    nearest = {}
    for measure in ("mean", "min"):
        made = permutation_set(64, 9, measure)
        distances = np.sum(made[:, None] != made[None], axis=2)
        nearest[measure] = distances[np.triu_indices(64, 1)].min()
    assert nearest["min"] > nearest["mean"]


def test_a_smaller_set_is_the_beginning_of_a_larger_one_and_cannot_be_changed():
    large = permutation_set(100)
    np.testing.assert_array_equal(permutation_set(64), large[:64])
    assert permutation_set(100) is large
    with pytest.raises(ValueError, match="read-only"):
        large[0, 0] = 1


def test_all_orders_are_lexicographic():
    made = all_orders(4)
    assert made.shape == (math.factorial(4), 4)
    np.testing.assert_array_equal(made, sorted(made.tolist()))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((25, 4), r"permutations must be from 1 to 24, the orders of 4 tiles, got 25"),
        ((0, 4), r"permutations must be from 1 to 24"),
        ((2, 10), r"tiles must be from 2 to 9, got 10"),
        ((2, 1), r"tiles must be from 2 to 9, got 1"),
        ((2, 4, "max"), r"measure must be mean or min, got 'max'"),
    ],
)
def test_what_is_not_there_is_one_sentence(arguments, words):
    with pytest.raises(UserError, match=words):
        permutation_set(*arguments)
