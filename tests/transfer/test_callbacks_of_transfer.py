"""The best epoch of one `fit` or several, and the validation score in the logs."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from rotkeras.transfer.callbacks import BestWeights, ValidationScore


class Model:
    """What the callback needs of a model: weights, and to be told to stop."""

    def __init__(self):
        self.weights, self.stop_training = [np.zeros(2)], False

    def get_weights(self):
        return self.weights

    def set_weights(self, weights):
        self.weights = weights


def fit(best, model, scores, first=0):
    """What Keras does: epochs until the callback stops; the weights are the epoch's number."""
    model.stop_training = False
    best.set_model(model)
    best.on_train_begin()
    for epoch, score in enumerate(scores, first):
        model.weights[0][:] = epoch + 1  # in place, as an optimizer writes
        best.on_epoch_end(epoch, {"val_accuracy": score})
        if model.stop_training:
            return epoch + 1
    return first + len(scores)


def test_the_best_epoch_of_several_fits_is_restored():
    best, model = BestWeights("val_accuracy"), Model()
    fit(best, model, [0.2, 0.6, 0.5])
    fit(best, model, [0.4, 0.7, 0.1], first=3)
    assert (best.best, best.epoch, best.stopped) == (0.7, 5, None)
    best.restore()
    np.testing.assert_array_equal(model.weights[0], [5, 5])


def test_a_later_fit_may_be_no_better_and_of_equal_epochs_the_first_is_kept():
    best, model = BestWeights("val_accuracy"), Model()
    fit(best, model, [0.5, 0.9])
    fit(best, model, [0.9, 0.8], first=2)
    best.restore()
    assert best.epoch == model.weights[0][0] == 2


def test_patience_counts_epochs_without_a_better_one_and_anew_in_each_fit():
    best, model = BestWeights("val_accuracy", patience=2), Model()
    assert fit(best, model, [0.5, 0.4, 0.6, 0.5, 0.5, 0.9]) == 5
    assert best.stopped == 5
    best.stopped = None
    assert fit(best, model, [0.1, 0.7, 0.1, 0.1, 0.1], first=5) == 9
    assert (best.best, best.epoch, best.stopped) == (0.7, 7, 9)
    best = BestWeights("val_accuracy", patience=2)
    fit(best, model, [0.5, 0.4])
    assert fit(best, model, [0.3, 0.6], first=2) == 4  # one epoch of waiting was of the other fit
    assert best.stopped is None


def test_what_is_no_number_is_never_the_best():
    best, model = BestWeights("val_accuracy", patience=3), Model()
    assert fit(best, model, [math.nan, 0.1, math.nan, math.nan, math.nan, 1.0]) == 5
    assert (best.best, best.epoch) == (0.1, 2)
    best, model = BestWeights("val_accuracy"), Model()
    fit(best, model, [math.nan])
    best.restore()
    assert (best.best, best.epoch, model.weights[0][0]) == (-math.inf, 0, 1)


def test_the_score_is_put_into_the_logs_that_other_callbacks_see():
    values = iter([0.25, 0.5])
    score, logs = ValidationScore("map", lambda: next(values)), {"loss": 1.0}
    score.on_epoch_end(0, logs)
    assert logs == {"loss": 1.0, "val_map": 0.25}
    score.on_epoch_end(1, None)
    best = BestWeights("val_map")
    best.set_model(SimpleNamespace(get_weights=list))
    best.on_epoch_end(0, logs)
    assert best.best == 0.25
    with pytest.raises(KeyError):
        best.on_epoch_end(1, {"loss": 1.0})
