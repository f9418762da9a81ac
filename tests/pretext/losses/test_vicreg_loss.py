import keras
import numpy as np
import pytest

from rotkeras import UserError
from rotkeras.pretext.losses import vicreg
from rotkeras.pretext.whole_batch import VICRegLoss


def reference(z, invariance=25.0, variance=25.0, covariance=1.0):
    """Equations 1 to 6 of Bardes et al., ICLR 2022, number by number in float64; the distance is
    divided by d as well, as in algorithm 1."""
    views = np.asarray(z[0::2], np.float64), np.asarray(z[1::2], np.float64)
    count, d = views[0].shape
    distance = sum(np.sum((a - b) ** 2) for a, b in zip(*views, strict=True)) / count / d
    loss = invariance * distance
    for view in views:
        mean = view.mean(axis=0)
        hinge = beside = 0.0
        for i in range(d):
            spread = np.sum((view[:, i] - mean[i]) ** 2) / (count - 1)
            hinge += max(0.0, 1 - np.sqrt(spread + 1e-4)) / d
            for j in range(d):
                if i != j:
                    c = np.sum((view[:, i] - mean[i]) * (view[:, j] - mean[j])) / (count - 1)
                    beside += c**2 / d
        loss += variance * hinge + covariance * beside
    return loss


def drawn(images, d=5, deviation=0.8):
    rng = np.random.default_rng(images)
    return rng.normal(2, deviation, (2 * images, d)).astype(np.float32)


@pytest.mark.parametrize("images", [2, 40])
@pytest.mark.parametrize("weights", [(25, 25, 1), (1, 0, 0), (0, 1, 0), (0, 0, 1)])
def test_it_is_the_equation(images, weights):
    z, weights = drawn(images), [float(each) for each in weights]
    assert float(vicreg(z, *weights)) == pytest.approx(reference(z, *weights), rel=1e-4)


def test_parts_by_numpy():
    z = drawn(30, 4)
    found = float(vicreg(z, 0.0, 0.0, 1.0))
    expected = 0.0
    for view in (z[0::2], z[1::2]):
        matrix = np.cov(view.T)
        expected += (np.sum(matrix**2) - np.sum(np.diag(matrix) ** 2)) / 4
    assert found == pytest.approx(expected, rel=1e-4)


def test_by_hand():
    # Equal views of deviation √(4/3) in two numbers without correlation: nothing is lost.
    first = np.float32([[1, 1], [1, -1], [-1, 1], [-1, -1]])
    assert float(vicreg(np.repeat(first, 2, axis=0))) == pytest.approx(0, abs=1e-5)
    # Moved apart by 1 in one of two numbers: half.
    z = np.stack([first, first + np.float32([1, 0])], axis=1).reshape(8, 2)
    assert float(vicreg(z)) == pytest.approx(12.5, rel=1e-4)


def test_the_gradient_is_that_of_the_equation_through_both_views():
    import tensorflow as tf

    z = tf.Variable(drawn(4, 3))
    with tf.GradientTape() as tape:
        loss = vicreg(z)
    step, expected = 1e-5, np.empty((8, 3))
    for place in np.ndindex(8, 3):
        moved = np.float64(z.numpy())
        moved[place] += step
        above = reference(moved)
        moved[place] -= 2 * step
        expected[place] = (above - reference(moved)) / (2 * step)
    np.testing.assert_allclose(tape.gradient(loss, z), expected, rtol=1e-3, atol=1e-3)


def test_ugly_numbers():
    import tensorflow as tf

    # A collapse has the whole hinge, 1 − √ε of each view, and a finite gradient.
    z = tf.Variable(np.ones((6, 4), np.float32))
    with tf.GradientTape() as tape:
        loss = vicreg(z)
    assert float(loss) == pytest.approx(2 * 25 * 0.99, rel=1e-5)
    assert np.isfinite(tape.gradient(loss, z)).all()
    found = vicreg(keras.ops.cast(drawn(8), "bfloat16"))
    assert keras.backend.standardize_dtype(found.dtype) == "float32"
    for shape in ((6,), (5, 3), (2, 3), (0, 3)):
        with pytest.raises(UserError, match="two views of each of at least 2 images"):
            vicreg(np.ones(shape, np.float32))
    with pytest.raises(UserError, match="variance must be at least 0, got -1"):
        vicreg(drawn(3), variance=-1.0)


def test_the_keras_loss_is_the_function_for_rows_and_for_views_made_inside_the_step():
    z = drawn(6)
    loss = VICRegLoss(10.0, 5.0, 2.0)
    flat, paired = loss.call(np.zeros(12), z), loss.call(np.zeros((6, 2)), z.reshape(6, 2, 5))
    assert flat.shape == (12,)
    assert paired.shape == (6, 2)
    np.testing.assert_allclose(np.asarray(flat), reference(z, 10, 5, 2), rtol=1e-4)
    np.testing.assert_allclose(np.asarray(paired), reference(z, 10, 5, 2), rtol=1e-4)
    again = VICRegLoss.from_config(loss.get_config())
    assert float(again(np.zeros(12), z)) == pytest.approx(float(loss(np.zeros(12), z)))
