import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression, RidgeClassifierCV
from sklearn.preprocessing import StandardScaler

from rotkeras import UserError
from rotkeras.probes import logistic, ridge
from rotkeras.probes.linear import ALPHAS


@pytest.fixture(scope="module")
def digits():
    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    x, y = x[order].astype(np.float32), y[order]
    return x[:600], y[:600], x[600:], y[600:]


@pytest.mark.parametrize("count", [600, 50])
def test_ridge_chooses_and_predicts_as_scikit_learn_does(digits, count):
    x, y, x_test, _ = digits
    x, y = x[:count], y[:count]
    scaler = StandardScaler().fit(x)
    theirs = RidgeClassifierCV(alphas=ALPHAS).fit(scaler.transform(x).astype(np.float64), y)
    ours = ridge(x, y)
    assert ours.penalty == theirs.alpha_
    np.testing.assert_allclose(ours.weight, theirs.coef_.T, atol=1e-5)
    agreement = np.mean(ours.predict(x_test) == theirs.predict(scaler.transform(x_test)))
    assert agreement == 1.0


def test_logistic_predicts_as_scikit_learn_does(digits):
    x, y, x_test, y_test = digits
    scaler = StandardScaler().fit(x)
    theirs = LogisticRegression(C=1 / (1e-2 * len(y)), max_iter=500).fit(scaler.transform(x), y)
    ours = logistic(x, y, penalty=1e-2)
    assert np.mean(ours.predict(x_test) == theirs.predict(scaler.transform(x_test))) > 0.995
    assert ours.accuracy(x_test, y_test) == pytest.approx(np.mean(ours.predict(x_test) == y_test))


@pytest.mark.parametrize("fit", [ridge, logistic])
def test_two_classes_a_gap_in_the_labels_and_a_constant_feature(fit):
    rng = np.random.default_rng(0)
    labels = rng.choice([1, 4], 200)
    features = np.stack(
        [labels + rng.normal(0, 0.3, 200), np.full(200, 7.0), rng.normal(size=200)], axis=1
    ).astype(np.float32)
    probe = fit(features, labels)
    assert set(probe.predict(features)) == {1, 4}
    assert probe.accuracy(features, labels) > 0.98
    assert np.isfinite(probe.weight).all()


@pytest.mark.parametrize("fit", [ridge, logistic])
def test_no_labels_and_one_class_are_refused(fit):
    features = np.zeros((5, 2), np.float32)
    with pytest.raises(UserError, match="labels must be an int64 array, got None"):
        fit(features, None)
    with pytest.raises(UserError, match="at least two classes"):
        fit(features, np.full(5, 3))
