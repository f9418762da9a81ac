import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler

from rotkeras import UserError
from rotkeras.probes import knn


@pytest.mark.parametrize("neighbours", [1, 20, 200])
def test_accuracy_is_that_of_scikit_learn_with_the_same_weights(neighbours):
    x, y = load_digits(return_X_y=True)
    x, x_test, y, y_test = x[:400], x[400:], y[:400], y[400:]
    scaler = StandardScaler().fit(x)
    theirs = KNeighborsClassifier(
        neighbours,
        metric="cosine",
        algorithm="brute",
        weights=lambda distance: np.exp(-distance / 0.07),
    ).fit(scaler.transform(x), y)
    expected = theirs.score(scaler.transform(x_test), y_test)
    ours = knn(x.astype(np.float32), y, neighbours).accuracy(x_test.astype(np.float32), y_test)
    assert ours == pytest.approx(expected, abs=0.002)  # float32 ties


def test_fewer_images_than_neighbours_use_what_there_is():
    features = np.eye(4, dtype=np.float32)
    assert (
        knn(features, np.array([0, 1, 0, 1]), neighbours=20).accuracy(
            features, np.array([0, 1, 0, 1])
        )
        == 1.0
    )


def test_one_class_is_refused():
    with pytest.raises(UserError, match="at least two classes"):
        knn(np.eye(3, dtype=np.float32), np.zeros(3, int))
