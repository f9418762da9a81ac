import keras
import numpy as np
import pytest

from rotkeras import UserError
from rotkeras.pretext.losses import barlow_twins
from rotkeras.pretext.whole_batch import BarlowTwinsLoss


def reference(z, off_diagonal):
    """Equations 1 and 2 of Zbontar et al., ICML 2021, number by number in float64."""
    first, second = np.asarray(z[0::2], np.float64), np.asarray(z[1::2], np.float64)
    first, second = first - first.mean(axis=0), second - second.mean(axis=0)
    total = 0.0
    for i in range(first.shape[1]):
        for j in range(first.shape[1]):
            a, b = first[:, i], second[:, j]
            c = np.sum(a * b) / (np.sqrt(np.sum(a**2)) * np.sqrt(np.sum(b**2)))
            total += (1 - c) ** 2 if i == j else off_diagonal * c**2
    return total


def drawn(images, d=5, seed=0):
    return np.random.default_rng(seed).normal(3, 2, (2 * images, d)).astype(np.float32)


@pytest.mark.parametrize("off_diagonal", [0.0, 0.005, 1.0])
@pytest.mark.parametrize("images", [3, 40])
def test_it_is_the_equation(images, off_diagonal):
    z = drawn(images)
    found = float(barlow_twins(z, off_diagonal))
    assert found == pytest.approx(reference(z, off_diagonal), rel=1e-4)


def test_by_hand():
    # Equal views of two numbers without correlation: nothing is lost. Opposite ones: 2² each.
    first = np.float32([[1, 1], [1, -1], [-1, 1], [-1, -1]])
    same, opposite = (np.stack([first, sign * first], axis=1).reshape(8, 2) for sign in (1, -1))
    assert float(barlow_twins(same)) == pytest.approx(0, abs=1e-6)
    assert float(barlow_twins(opposite)) == pytest.approx(8, rel=1e-4)


def test_correlations_are_those_of_numpy():
    z = drawn(30, 4)
    matrix = np.corrcoef(z[0::2].T, z[1::2].T)[:4, 4:]
    expected = np.sum((1 - np.diag(matrix)) ** 2)
    assert float(barlow_twins(z, 0.0)) == pytest.approx(expected, rel=1e-4)


def test_scale_and_offset_of_a_view_change_nothing():
    z = drawn(20)
    moved = z.copy()
    moved[0::2] = 3 * moved[0::2] + 7
    assert float(barlow_twins(moved)) == pytest.approx(float(barlow_twins(z)), rel=1e-4)


def test_the_gradient_is_that_of_the_equation_through_both_views():
    import tensorflow as tf

    z = tf.Variable(10 * drawn(4, 3))  # so that ε is nothing
    with tf.GradientTape() as tape:
        loss = barlow_twins(z, 0.1)
    step, expected = 1e-5, np.empty((8, 3))
    for place in np.ndindex(8, 3):
        moved = np.float64(z.numpy())
        moved[place] += step
        above = reference(moved, 0.1)
        moved[place] -= 2 * step
        expected[place] = (above - reference(moved, 0.1)) / (2 * step)
    np.testing.assert_allclose(tape.gradient(loss, z), expected, rtol=1e-3, atol=1e-4)


def test_ugly_numbers():
    # Equal rows have no variance: correlations of 0, and so a loss of d, without NaN.
    assert float(barlow_twins(np.ones((6, 4), np.float32))) == pytest.approx(4)
    found = barlow_twins(keras.ops.cast(drawn(8), "bfloat16"))
    assert keras.backend.standardize_dtype(found.dtype) == "float32"
    for shape in ((6,), (5, 3), (2, 3), (0, 3)):
        with pytest.raises(UserError, match="two views of each of at least 2 images"):
            barlow_twins(np.ones(shape, np.float32))
    with pytest.raises(UserError, match="off_diagonal must be at least 0, got -1"):
        barlow_twins(drawn(3), -1.0)


def test_the_keras_loss_is_the_function_for_rows_and_for_views_made_inside_the_step():
    z = drawn(6)
    loss = BarlowTwinsLoss(0.01, 0.5)
    flat, paired = loss.call(np.zeros(12), z), loss.call(np.zeros((6, 2)), z.reshape(6, 2, 5))
    assert flat.shape == (12,)
    assert paired.shape == (6, 2)
    np.testing.assert_allclose(np.asarray(flat), 0.5 * reference(z, 0.01), rtol=1e-4)
    np.testing.assert_allclose(np.asarray(paired), 0.5 * reference(z, 0.01), rtol=1e-4)
    again = BarlowTwinsLoss.from_config(loss.get_config())
    assert float(again(np.zeros(12), z)) == pytest.approx(float(loss(np.zeros(12), z)))
