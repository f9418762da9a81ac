import numpy as np
import pytest
from sklearn.linear_model import Ridge

from rotkeras.audit import readouts


@pytest.fixture
def random():
    return np.random.default_rng(0)


def test_parameters_are_explained_as_by_scikit_learn(random):
    features = random.normal(size=(60, 2, 5))
    parameters = features[..., :3] @ random.normal(size=(3, 2)) + random.normal(size=(60, 2, 2))
    told = readouts.explained(features, parameters, seed=4)
    predicted = np.empty(parameters.shape)
    halves = np.array_split(np.random.default_rng(4).permutation(60), 2)
    for fitted, held_out in (halves, halves[::-1]):
        x = features[fitted].reshape(-1, 5)
        mean, scale = x.mean(axis=0), x.std(axis=0)
        model = Ridge(alpha=10.0).fit((x - mean) / scale, parameters[fitted].reshape(-1, 2))
        held = (features[held_out].reshape(-1, 5) - mean) / scale
        predicted[held_out] = model.predict(held).reshape(-1, 2, 2)
    error = ((predicted - parameters) ** 2).mean(axis=(0, 1))
    variance = parameters.reshape(-1, 2).var(axis=0)
    assert told.mean() == pytest.approx((1 - error / variance).mean())
    assert 0.2 < told.mean() < 1


def test_a_parameter_that_never_changes_is_left_out(random):
    features = random.normal(size=(40, 1, 3))
    parameters = np.concatenate([features[..., :1], np.full((40, 1, 1), 7.0)], axis=2)
    assert readouts.explained(features, parameters).mean() > 0.6
    assert readouts.explained(features, parameters[..., 1:]).tolist() == [0.0] * 40


def test_classes_that_are_not_balanced(random):
    labels = np.where(random.random((200, 1)) < 0.8, 0, 2)
    right = readouts.classified(random.normal(size=(200, 1, 2)), labels, 3)
    assert right.mean() == pytest.approx((labels == 0).mean(), abs=0.02)


def test_pairs_by_loops(random):
    views = random.normal(size=(10, 1, 4)) + 0.7 * random.normal(size=(10, 2, 4))
    told = readouts.matched(views, seed=1)
    flat = views.reshape(-1, 4)
    scaled = (views - flat.mean(axis=0)) / flat.std(axis=0)
    order = np.random.default_rng(1).permutation(10)
    expected = []
    for image in order:
        right = []
        for side in (0, 1):
            far = {
                int(other): np.linalg.norm(scaled[image, side] - scaled[other, 1 - side])
                for other in range(10)
            }
            right.append(min(far, key=far.get) == image)
        expected.append(np.mean(right))
    np.testing.assert_array_equal(told, expected)
    assert 0 < told.mean() < 1


def test_groups_of_candidates_and_chance(random):
    assert (readouts.candidates(5000), readouts.candidates(30)) == (64, 30)
    told = readouts.matched(random.normal(size=(1000, 2, 6)))
    assert len(told) == 15 * 64
    assert told.mean() == pytest.approx(1 / 64, abs=0.01)


def test_features_that_are_all_the_same_match_nothing():
    assert readouts.matched(np.ones((70, 2, 3))).tolist() == [0.0] * 64
