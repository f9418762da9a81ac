import numpy as np
import pytest

from rotkeras import UserError
from rotkeras.pretext.losses import half_squared_distance


def test_by_hand():
    found = half_squared_distance([[1.0, 2.0], [0.0, 0.0]], [[4.0, -2.0], [0.0, 1.0]])
    np.testing.assert_allclose(found, [(9 + 16) / 2, 0.5])


def test_it_is_the_equation_and_half_of_the_published_mean_times_the_parameters():
    rng = np.random.default_rng(0)
    m, predicted = rng.normal(size=(2, 7, 8))
    expected = [0.5 * sum((m[i, j] - predicted[i, j]) ** 2 for j in range(8)) for i in range(7)]
    found = np.asarray(half_squared_distance(m, predicted))
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    np.testing.assert_allclose(found.mean(), np.mean((m - predicted) ** 2) * 8 / 2, rtol=1e-5)


def test_sixteen_bits_are_compared_in_float32():
    from keras import ops

    found = half_squared_distance(np.full((1, 2), 256.0), ops.cast([[257.5, 256.0]], "bfloat16"))
    assert float(found[0]) == 0.5 * (258 - 256) ** 2  # as bfloat16 rounds it
    assert ops.dtype(found) == "float32"


@pytest.mark.parametrize("shape", [(4,), (4, 5), (4, 6, 1)])
def test_wrong_shapes(shape):
    with pytest.raises(UserError, match=r"predictions must be \(B, P\) as the parameters \(4, 6\)"):
        half_squared_distance(np.zeros((4, 6)), np.zeros(shape))
