"""Intervals by drawing images anew, against what is known of a mean."""

import numpy as np
import pytest

from rotkeras.transfer.bootstrap import interval


def test_of_a_mean_it_is_the_normal_one():
    values = np.random.default_rng(1).random(400)
    low, high = interval(lambda rows: values[rows].mean(), 400, draws=3000)
    half = 1.96 * values.std() / np.sqrt(400)
    assert (low, high) == pytest.approx(
        (values.mean() - half, values.mean() + half), abs=0.1 * half
    )


def test_differences_are_paired():
    """Two scores that always differ by the same have no interval, however wide each is."""
    values = np.random.default_rng(2).random(50)
    other = values + 0.125
    low, high = interval(lambda rows: other[rows].mean() - values[rows].mean(), 50)
    assert (low, high) == pytest.approx((0.125, 0.125))
    one = interval(lambda rows: values[rows].mean(), 50)
    two = interval(lambda rows: other[rows].mean(), 50)
    assert two == pytest.approx(np.add(one, 0.125))


def test_it_is_a_function_of_the_seed():
    values = np.arange(30.0)
    first = [interval(lambda rows: values[rows].mean(), 30, seed=seed) for seed in (0, 0, 1)]
    assert first[0] == first[1] != first[2]


def test_every_image_is_drawn_with_replacement():
    seen = []
    interval(lambda rows: seen.append(rows) or 0.0, 7, draws=40)
    assert {len(rows) for rows in seen} == {7}
    assert set(np.concatenate(seen)) == set(range(7))
    assert any(len(set(rows.tolist())) < 7 for rows in seen)
    assert len(seen) == 40
