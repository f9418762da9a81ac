import keras
import numpy as np
import pytest

from rotkeras import UserError
from rotkeras.pretext.first_of_logits import FirstOfRow, InfoNCE
from rotkeras.pretext.losses import info_nce
from rotkeras.pretext.losses.info_nce import logits_of


def unit(rows):
    rows = np.asarray(rows, np.float64)
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def reference(queries, keys, negatives, temperature):
    """Equation 1 of He et al., CVPR 2020, query by query in float64."""
    losses = []
    for query, key in zip(unit(queries), unit(keys), strict=True):
        positive = np.exp(query @ key / temperature)
        total = positive
        for negative in unit(negatives):
            total += np.exp(query @ negative / temperature)
        losses.append(-np.log(positive / total))
    return np.array(losses)


def drawn(*shapes):
    rng = np.random.default_rng(0)
    return [rng.normal(size=shape).astype(np.float32) for shape in shapes]


@pytest.mark.parametrize("temperature", [0.07, 0.2, 1.0])
@pytest.mark.parametrize("batch", [1, 6])
def test_it_is_the_equation(batch, temperature):
    queries, keys, negatives = drawn((batch, 5), (batch, 5), (9, 5))
    found = np.asarray(info_nce(queries, keys, negatives, temperature))
    np.testing.assert_allclose(
        found, reference(queries, keys, negatives, temperature), rtol=1e-5, atol=1e-6
    )


def test_by_hand():
    # The key is the query: e^2 against e^2, e^0 and e^-2.
    query = np.float32([[0, 3]])
    found = info_nce(query, query, np.float32([[1, 0], [0, -5]]), 0.5)
    np.testing.assert_allclose(
        np.asarray(found), [-np.log(np.e**2 / (np.e**2 + 1 + np.e**-2))], rtol=1e-5
    )


def test_the_gradient_passes_through_queries_alone():
    import tensorflow as tf

    q, k, n = (tf.Variable(each) for each in drawn((3, 4), (3, 4), (5, 4)))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(info_nce(q, k, n))
    of_queries, *others = tape.gradient(loss, [q, k, n])
    assert others == [None, None]
    step, expected = 1e-5, np.empty((3, 4))
    for place in np.ndindex(3, 4):
        moved = np.float64(q.numpy())
        moved[place] += step
        above = reference(moved, k, n, 0.2).sum()
        moved[place] -= 2 * step
        expected[place] = (above - reference(moved, k, n, 0.2).sum()) / (2 * step)
    np.testing.assert_allclose(of_queries, expected, rtol=1e-3, atol=1e-4)


def test_the_keras_loss_of_logits_is_the_function():
    queries, keys, negatives = drawn((6, 5), (6, 5), (9, 5))
    logits = logits_of(*(keras.ops.normalize(each) for each in (queries, keys, negatives)), 0.2)
    assert logits.shape == (6, 10)
    np.testing.assert_allclose(
        np.asarray(InfoNCE().call(np.zeros(6), logits)),
        reference(queries, keys, negatives, 0.2),
        rtol=1e-4,
    )


def test_ugly_numbers():
    (queries,) = drawn((4, 3))
    # All equal, as in a collapse: a guess among key and negatives.
    same = np.ones((4, 3), np.float32)
    np.testing.assert_allclose(np.asarray(info_nce(same, same, same[:3])), np.log(4), rtol=1e-5)
    zeros = np.zeros((4, 3), np.float32)
    np.testing.assert_allclose(np.asarray(info_nce(zeros, zeros, queries)), np.log(5), rtol=1e-5)
    short = keras.ops.cast(queries, "bfloat16")
    found = info_nce(short, short, short)
    assert keras.backend.standardize_dtype(found.dtype) == "float32"
    assert np.isfinite(np.asarray(found)).all()
    for words, change in (
        (r"queries must be \(B, d\)", {"queries": queries[0]}),
        ("keys must be of the shape of queries", {"keys": queries[:2]}),
        (r"negatives must be \(K, 3\)", {"negatives": queries[:, :2]}),
        ("temperature must be at least 0.001", {"temperature": 0.0}),
    ):
        with pytest.raises(UserError, match=words):
            info_nce(**{"queries": queries, "keys": queries, "negatives": queries, **change})


def test_accuracy_counts_first_logits_that_are_alone_the_greatest():
    metric = FirstOfRow()
    metric.update_state(np.zeros(4), np.float32([[2, 1, 0], [1, 2, 0], [1, 1, 1], [3, -1, 2.9]]))
    assert float(metric.result()) == 0.5
    metric.update_state(None, np.float32([[0, -1e9, -1]]))  # of rows that do not count
    assert float(metric.result()) == pytest.approx(0.6)
