import numpy as np
import pytest

from rotkeras.audit import network
from rotkeras.audit.up import weigh
from rotkeras.data import load


@pytest.fixture(scope="module")
def digits():
    """Six hundred digits, 8 × 8."""
    return load("digits", validation_fraction=0).train.draw(600).take(slice(None))


def test_views_are_counter_clockwise_quarter_turns(random_images):
    views = network.quarter_turns(random_images)
    assert views.shape == (6, 4, 12, 12, 3)
    for turns in range(4):
        np.testing.assert_array_equal(views[2, turns], np.rot90(random_images[2], turns))


def test_shrinking_commutes_with_turns(crops):
    small = network.shrink(crops)
    assert (small.shape, small.dtype) == ((80, 32, 32, 3), np.uint8)
    turned = network.shrink(np.rot90(crops, 1, (1, 2)))
    np.testing.assert_allclose(turned.astype(int), np.rot90(small, 1, (1, 2)), atol=1)
    assert network.shrink(small) is small


def test_the_network_takes_any_side_and_marks_no_edge():
    for side in (8, 16, 24, 32):
        model = network.build(side, seed=0)
        assert model.output_shape == (None, 4)
        assert model.count_params() < 250_000
        assert all(
            layer.padding == "valid" for layer in model.layers if "Conv" in type(layer).__name__
        )


def test_each_image_is_judged_by_a_network_that_did_not_see_it(monkeypatch, digits):
    learned = []

    class Model:
        def predict(self, views, batch_size, verbose):
            for image in views[::4]:
                assert not any(np.array_equal(image, each) for each in learned[-1])
            return np.zeros((len(views), 4), np.float32)

    def trained(images, seed, steps, report):
        learned.append(images)
        report(steps)
        return Model()

    monkeypatch.setattr(network, "_trained", trained)
    images = np.unique(digits, axis=0)[:101]
    told = []
    found = network.predict_unseen(images, progress=lambda *each: told.append(each), steps=7)
    assert sorted(map(len, learned)) == [50, 51]
    np.testing.assert_array_equal(found, np.full((101, 4, 4), 0.25))
    assert told == [(7, 14), (14, 14)]


def test_it_learns_and_finds_what_was_turned(digits):
    turned = digits.copy()
    turned[:30] = np.rot90(turned[:30], 1, (1, 2))
    probabilities = network.predict_unseen(turned, seed=0, steps=120)
    np.testing.assert_allclose(probabilities.sum(axis=2), 1, rtol=1e-5)
    up = weigh(probabilities)
    upright = np.arange(len(turned)) >= 30
    assert up.accuracy(upright)[0] > 0.75
    assert up.accuracy(~upright)[0] < 0.35
    assert up.way_up[:30].argmax(axis=1).tolist().count(1) >= 18
    assert up.lies(~upright) == 90
    assert up.lies(upright) == 0
    assert up.turned[:30].mean() > 5 * max(0.01, up.turned[30:].mean())


def test_the_same_seed_gives_the_same(digits):
    trained = [
        network._trained(digits[:64], 0, 2, lambda step: None).get_weights() for _ in range(2)
    ]
    for first, again in zip(*trained, strict=True):
        np.testing.assert_allclose(first, again, atol=1e-4)
    weights = [network.build(8, seed).get_layer("conv1").kernel.numpy() for seed in (0, 0, 1)]
    np.testing.assert_array_equal(weights[0], weights[1])
    assert np.abs(weights[0] - weights[2]).max() > 0.01
