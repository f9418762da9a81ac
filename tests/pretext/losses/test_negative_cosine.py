import keras
import numpy as np
import pytest
from sklearn.metrics.pairwise import cosine_similarity

from rotkeras import UserError
from rotkeras.pretext.losses import negative_cosine


def reference(p, z):
    """Equation 1 of Chen and He, CVPR 2021, row by row in float64."""
    p, z = np.asarray(p, np.float64), np.asarray(z, np.float64)
    return np.array(
        [
            -np.sum(a / np.sqrt(np.sum(a**2)) * (b / np.sqrt(np.sum(b**2))))
            for a, b in zip(p, z, strict=True)
        ]
    )


def rows(seed, count=6, d=5):
    return np.random.default_rng(seed).normal(size=(count, d)).astype(np.float32) * 10**seed


def test_it_is_the_equation():
    p, z = rows(0), rows(1)
    found = np.asarray(negative_cosine(p, z))
    np.testing.assert_allclose(found, reference(p, z), rtol=1e-5)
    np.testing.assert_allclose(found, -np.diag(cosine_similarity(p, z)), rtol=1e-5)


def test_by_hand():
    found = negative_cosine(
        np.float32([[3, 4], [1, 0], [1, 1]]), np.float32([[6, 8], [0, 2], [-1, -1]])
    )
    np.testing.assert_allclose(np.asarray(found), [-1, 0, 1], atol=1e-6)


def test_twice_and_two_is_the_squared_distance_of_unit_vectors():
    p, z = rows(0), rows(1)
    apart = p / np.linalg.norm(p, axis=1)[:, None] - z / np.linalg.norm(z, axis=1)[:, None]
    np.testing.assert_allclose(
        2 + 2 * np.asarray(negative_cosine(p, z)), np.sum(apart**2, axis=1), rtol=1e-4
    )


def test_the_gradient_passes_through_predictions_alone():
    import tensorflow as tf

    p, z = tf.Variable(rows(0)), tf.Variable(rows(1))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(negative_cosine(p, z))
    of_p, of_z = tape.gradient(loss, [p, z])
    assert of_z is None
    step, expected = 1e-5, np.empty((6, 5))
    for place in np.ndindex(6, 5):
        moved = np.float64(p.numpy())
        moved[place] += step
        above = reference(moved, z).sum()
        moved[place] -= 2 * step
        expected[place] = (above - reference(moved, z).sum()) / (2 * step)
    np.testing.assert_allclose(of_p, expected, atol=1e-5)


def test_zeros_and_sixteen_bits():
    zeros = np.zeros((2, 5), np.float32)
    np.testing.assert_array_equal(np.asarray(negative_cosine(zeros, rows(0, 2))), [0, 0])
    np.testing.assert_array_equal(np.asarray(negative_cosine(rows(0, 2), zeros)), [0, 0])
    short = keras.ops.cast(rows(0), "bfloat16")
    found = negative_cosine(short, short)
    assert keras.backend.standardize_dtype(found.dtype) == "float32"
    np.testing.assert_allclose(np.asarray(found), -1, atol=1e-5)


def test_the_gradient_at_zeros_is_finite():
    import tensorflow as tf

    p, z = tf.Variable(np.zeros((2, 5), np.float32)), rows(0, 2)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(negative_cosine(p, z))
    expected = -z / np.linalg.norm(z, axis=1, keepdims=True)
    np.testing.assert_allclose(tape.gradient(loss, p), expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("shapes", "words"),
    [
        (((4,), (4,)), r"predictions must be \(R, d\), got \(4,\)"),
        (((4, 3), (4, 2)), r"targets must be of the shape of predictions"),
        (((4, 3), (5, 3)), r"targets must be of the shape of predictions"),
    ],
)
def test_other_shapes_are_refused(shapes, words):
    with pytest.raises(UserError, match=words):
        negative_cosine(*(np.ones(each, np.float32) for each in shapes))
