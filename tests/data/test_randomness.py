import numpy as np
import pytest
import tensorflow as tf

from rotkeras.data.randomness import Key, integers, mix, permute, uniform


def key(seed=0, epoch=0, index=(0,)):
    return Key(
        tf.constant(seed, tf.int64), tf.constant(epoch, tf.int64), tf.constant(index, tf.int64)
    )


def order(seed, epoch, count):
    return permute(
        tf.range(count, dtype=tf.int64),
        tf.constant(seed, tf.int64),
        tf.constant(epoch, tf.int64),
        count,
    ).numpy()


@pytest.mark.parametrize("count", [1, 2, 7, 1000, 4097])
def test_an_epoch_visits_every_image_once(count):
    assert sorted(order(3, 5, count)) == list(range(count))


def test_order_depends_on_seed_and_epoch_alone():
    assert np.array_equal(order(1, 2, 500), order(1, 2, 500))
    orders = [tuple(order(seed, epoch, 500)) for seed in range(4) for epoch in range(4)]
    assert len(set(orders)) == 16


def test_orders_of_two_epochs_have_nothing_to_do_with_each_other():
    # Where in epoch 1 do the images of each tenth of epoch 0 stand? Chi-square with 81 degrees of
    # freedom, 99.99 %: 137.
    for seed, other in (((0, 0), (0, 1)), ((0, 0), (1, 0)), ((5, 7), (6, 6))):
        first, second = (
            np.argsort(order(*seed, 10000)) // 1000,
            np.argsort(order(*other, 10000)) // 1000,
        )
        joint = np.bincount(first * 10 + second, minlength=100)
        assert ((joint - 100) ** 2 / 100).sum() < 137


def test_the_order_is_spread_evenly():
    joint = np.bincount((np.arange(10000) // 1000) * 10 + order(0, 0, 10000) // 1000, minlength=100)
    assert ((joint - 100) ** 2 / 100).sum() < 137


def splitmix(*words):
    """The hash in Python's own integers."""
    state = 0x243F6A8885A308D3
    for word in words:
        state = (state + word * 0x9E3779B97F4A7C15) % 2**64
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) % 2**64
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) % 2**64
        state ^= state >> 31
    return state


def test_the_hash_against_whole_number_arithmetic():
    for words in ((0,), (1, 2), (-5, 3, 2**40), (2**31, 0, 7, 9)):
        assert int(mix(*words)) == splitmix(*words)
    assert integers(key(3, 4, [5, 6]), 7, 1000).numpy().tolist() == [
        splitmix(3, 4, 7, 5) % 1000,
        splitmix(3, 4, 7, 6) % 1000,
    ]


def test_a_part_of_the_positions_gives_that_part_of_the_order():
    whole = order(1, 2, 500)
    part = permute(
        tf.range(100, 110, dtype=tf.int64), tf.constant(1, tf.int64), tf.constant(2, tf.int64), 500
    )
    assert np.array_equal(part, whole[100:110])


def test_an_image_draws_the_same_number_in_any_batch():
    together = integers(key(index=range(50)), 3, 1000).numpy()
    alone = [int(integers(key(index=[i]), 3, 1000)[0]) for i in range(50)]
    assert together.tolist() == alone


def test_numbers_are_uniform_and_streams_are_independent():
    index = range(20000)
    a, b = integers(key(index=index), 1, 9).numpy(), integers(key(index=index), 2, 9).numpy()
    other_epoch = integers(key(epoch=1, index=index), 1, 9).numpy()
    for draw in (a, b, other_epoch):
        counts = np.bincount(draw, minlength=9)
        # chi-square with 8 degrees of freedom: 99.99 % lie below 31.8
        assert ((counts - 20000 / 9) ** 2 / (20000 / 9)).sum() < 31.8
    for other in (b, other_epoch):
        joint = np.bincount(a * 9 + other, minlength=81)
        assert (
            (joint - 20000 / 81) ** 2 / (20000 / 81)
        ).sum() < 140  # 80 degrees of freedom, 99.99 %: 136


def test_uniform_numbers_fill_their_range():
    numbers = uniform(key(index=range(20000)), 4, -2.0, 3.0).numpy()
    assert numbers.dtype == np.float32
    assert -2.0 <= numbers.min() < -1.99
    assert 2.99 < numbers.max() < 3.0
    assert abs(numbers.mean() - 0.5) < 0.05
