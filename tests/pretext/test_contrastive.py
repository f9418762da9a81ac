import numpy as np
import pytest

from rotkeras.pretext.contrastive import ContrastiveAccuracy, NTXent
from rotkeras.pretext.losses import nt_xent


def accuracy(views):
    metric = ContrastiveAccuracy()
    metric.update_state(np.zeros(len(views)), np.asarray(views, np.float32))
    return float(metric.result())


def test_the_most_similar_other_view_counts():
    # The views of the third image are apart: each is nearest to one of another image.
    views = [[1, 0.1], [1, 0], [0, 1], [0.1, 1], [1, 0.5], [0.5, 1]]
    assert accuracy(views) == pytest.approx(4 / 6)


def test_views_that_are_all_equal_are_never_right():
    assert accuracy(np.ones((8, 3))) == 0


def test_views_from_inside_the_step_have_the_same_loss():
    views = np.random.default_rng(0).normal(size=(8, 3)).astype(np.float32)
    flat = np.asarray(NTXent(0.2).call(np.zeros(8), views))
    paired = np.asarray(NTXent(0.2).call(np.zeros((4, 2)), views.reshape(4, 2, 3)))
    np.testing.assert_allclose(paired.reshape(-1), flat, rtol=1e-6)
    np.testing.assert_allclose(flat, np.asarray(nt_xent(views, 0.2)), rtol=1e-6)
