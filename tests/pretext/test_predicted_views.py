import numpy as np
import pytest

from rotkeras.pretext.losses import negative_cosine
from rotkeras.pretext.predicted_views import NegativeCosine, PredictionAccuracy


def pairs(images=4, d=3):
    """(predictions, targets), each (2B, d), and both as a model returns them."""
    rng = np.random.default_rng(0)
    p, z = rng.normal(size=(2, 2 * images, d)).astype(np.float32)
    return p, z, np.stack([p, z], axis=1)


def test_each_view_predicts_the_target_of_the_other_view_of_its_image():
    p, z, both = pairs()
    expected = [float(negative_cosine(p[[i]], z[[i ^ 1]])[0]) for i in range(8)]
    flat = NegativeCosine().call(np.zeros(8), both)
    np.testing.assert_allclose(np.asarray(flat), expected, rtol=1e-5)
    paired = NegativeCosine().call(np.zeros((4, 2)), both.reshape(4, 2, 2, 3))
    assert paired.shape == (4, 2)
    np.testing.assert_allclose(np.asarray(paired).reshape(-1), expected, rtol=1e-5)
    # Algorithm 1 of the paper: L = D(p1, z2) / 2 + D(p2, z1) / 2, over images.
    halves = [
        np.mean(negative_cosine(p[0::2], z[1::2])), np.mean(negative_cosine(p[1::2], z[0::2]))
    ]  # fmt: skip
    assert float(NegativeCosine()(np.zeros(8), both)) == pytest.approx(np.mean(halves), rel=1e-5)
    scaled = NegativeCosine(2.0, 2.0)
    again = NegativeCosine.from_config(scaled.get_config())
    assert float(again(np.zeros(8), both)) == pytest.approx(2 + 2 * np.mean(halves), rel=1e-5)


def test_a_part_of_the_batch_has_the_losses_of_the_whole():
    _, _, both = pairs()
    loss = NegativeCosine()
    whole = np.asarray(loss.of_rows(both, both, 0))
    parts = [np.asarray(loss.of_rows(both[b:e], both, b)) for b, e in ((0, 3), (3, 8))]
    np.testing.assert_allclose(np.concatenate(parts), whole, rtol=1e-6)


def accuracy(p, z):
    metric = PredictionAccuracy()
    metric.update_state(np.zeros(len(p)), np.stack([p, z], axis=1))
    return float(metric.result())


def test_predictions_that_are_nearest_to_their_partner_count():
    p, z, _ = pairs()
    expected = []
    for i in range(8):
        cosine = [p[i] @ z[k] / np.linalg.norm(z[k]) for k in range(8)]
        others = [cosine[k] for k in range(8) if k not in (i, i ^ 1)]
        expected.append(cosine[i ^ 1] > max(others))
    assert accuracy(p, z) == pytest.approx(np.mean(expected))
    assert accuracy(z[[1, 0, 3, 2, 5, 4, 7, 6]], z) == 1
    assert accuracy(np.ones((8, 3), np.float32), np.ones((8, 3), np.float32)) == 0
