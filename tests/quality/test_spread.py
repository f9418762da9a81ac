import numpy as np
import pytest

from rotkeras import UserError
from rotkeras.quality import measure_spread


def test_directions_spread_evenly():
    z = np.random.default_rng(0).normal(size=(4000, 16)).astype(np.float32)
    found = measure_spread(z)
    assert found.std == pytest.approx(1, abs=0.01)
    assert found.rank == pytest.approx(16, abs=0.05)
    assert found.cosine == pytest.approx(0, abs=0.001)
    assert not found.collapsed


def test_pair_by_pair():
    z = np.random.default_rng(1).normal(1.0, 1.0, (9, 5)).astype(np.float32)
    unit = z / np.linalg.norm(z, axis=1, keepdims=True)
    pairs = [unit[i] @ unit[j] for i in range(9) for j in range(9) if i != j]
    assert measure_spread(z).cosine == pytest.approx(np.mean(pairs), rel=1e-5)


@pytest.mark.parametrize(
    "z",
    [
        np.ones((20, 4)),
        np.zeros((20, 4)),
        np.ones((20, 4)) + np.random.default_rng(0).normal(scale=0.002, size=(20, 4)),
        np.outer(np.where(np.arange(20) % 2, 1, -1), [1, 2, 3, 4]),  # two opposite directions
    ],
    ids=["equal", "zero", "nearly equal", "one line"],
)
def test_collapse_is_seen(z):
    assert measure_spread(z.astype(np.float32)).collapsed


def test_one_image_has_no_spread():
    with pytest.raises(UserError, match="at least 2 rows"):
        measure_spread(np.ones((1, 4), np.float32))
