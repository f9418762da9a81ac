import keras
import numpy as np
import pytest

from rotkeras import UserError
from rotkeras.pretext.losses import sinkhorn

RNG = np.random.default_rng(0)


def reference(scores, iterations, epsilon):
    """Algorithm 1 of Caron et al., NeurIPS 2020, as written: Q is (K, N), in float64."""
    q = np.exp(np.asarray(scores, np.float64).T / epsilon)
    q /= q.sum()
    prototypes, rows = q.shape
    for _ in range(iterations):
        for k in range(prototypes):
            q[k] /= q[k].sum() * prototypes
        for n in range(rows):
            q[:, n] /= q[:, n].sum() * rows
    return (q * rows).T


@pytest.mark.parametrize(("rows", "prototypes"), [(8, 3), (5, 16), (1, 4), (7, 1)])
@pytest.mark.parametrize(("iterations", "epsilon"), [(1, 0.5), (3, 0.05), (10, 0.1)])
def test_it_is_the_algorithm(rows, prototypes, iterations, epsilon):
    scores = RNG.uniform(-1, 1, size=(rows, prototypes)).astype(np.float32)
    found = np.asarray(sinkhorn(scores, iterations, epsilon))
    np.testing.assert_allclose(found, reference(scores, iterations, epsilon), rtol=1e-4, atol=1e-6)


def test_in_the_limit_every_prototype_gets_an_equal_share():
    scores = RNG.uniform(-1, 1, size=(40, 5)).astype(np.float32)
    found = np.asarray(sinkhorn(scores, 300, 0.2))
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(found.sum(axis=0), 40 / 5, rtol=1e-3)
    once = np.asarray(sinkhorn(scores, 1, 0.2)).sum(axis=0)
    assert abs(once - 8).max() > abs(found.sum(axis=0) - 8).max()


def test_rows_sum_to_one_whatever_the_scores():
    for scores in (
        np.zeros((6, 4)),
        np.full((6, 4), 1e4),
        np.where(np.eye(6, 4) > 0, 1e4, -1e4),
        RNG.normal(size=(6, 4)).astype(np.float16),
    ):
        found = np.asarray(sinkhorn(scores))
        assert found.dtype == np.float32
        assert np.isfinite(found).all()
        np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-5)


def test_equal_rows_are_spread_evenly():
    rows = np.tile(RNG.normal(size=(1, 4)), (6, 1)).astype(np.float32)
    np.testing.assert_allclose(sinkhorn(rows), 0.25, rtol=1e-5)


def test_bfloat16_is_computed_in_float32():
    scores = keras.ops.cast(RNG.uniform(-1, 1, size=(8, 3)), "bfloat16")
    exact = np.asarray(keras.ops.cast(scores, "float32"))
    np.testing.assert_allclose(sinkhorn(scores), reference(exact, 3, 0.05), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("shape", [(3,), (2, 3, 4)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(UserError, match=r"scores must be \(N, K\)"):
        sinkhorn(np.zeros(shape, np.float32))
