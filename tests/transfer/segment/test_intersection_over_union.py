"""Confusions and intersection over union, against arithmetic by hand and Keras' metric."""

import keras
import numpy as np
import pytest

from rotkeras.errors import UserError
from rotkeras.transfer.segment.metrics import (
    confusion_matrix,
    intersection_over_union,
    mean_intersection_over_union,
    pixel_accuracy,
)

TRUTH = np.array([[0, 0, 0, 1], [1, 1, 255, 255]], np.uint8)
PREDICTED = np.array([[0, 0, 1, 1], [1, 3, 0, 2]], np.uint8)


def test_by_hand():
    matrix = confusion_matrix(TRUTH, PREDICTED, 5)
    expected = np.zeros((5, 5), int)
    expected[0, 0], expected[0, 1], expected[1, 1], expected[1, 3] = 2, 1, 2, 1
    np.testing.assert_array_equal(matrix, expected)
    # Class 2 is predicted on void alone, and 4 occurs nowhere; 3 is predicted and never true.
    np.testing.assert_array_equal(
        intersection_over_union(matrix), [2 / 3, 2 / 4, np.nan, 0, np.nan]
    )
    assert mean_intersection_over_union(matrix) == pytest.approx((2 / 3 + 1 / 2 + 0) / 3)
    assert pixel_accuracy(matrix) == 4 / 6


def test_matrices_add_up():
    draws = np.random.default_rng(0)
    truth, predicted = draws.integers(0, 4, (2, 3, 8, 8))
    whole = confusion_matrix(truth, predicted, 4)
    np.testing.assert_array_equal(
        whole, sum(confusion_matrix(a, b, 4) for a, b in zip(truth, predicted, strict=True))
    )


def test_void_alone_gives_no_number():
    matrix = confusion_matrix(np.full((2, 2), 255), np.zeros((2, 2), int), 3)
    assert matrix.sum() == 0
    assert np.isnan(mean_intersection_over_union(matrix))
    assert np.isnan(pixel_accuracy(matrix))


def test_another_index_may_be_void():
    matrix = confusion_matrix(np.array([0, 1, 2]), np.array([1, 1, 2]), 3, void=0)
    assert matrix.sum() == 2
    assert mean_intersection_over_union(matrix) == 1


def test_keras_metric_agrees():
    draws = np.random.default_rng(0)
    truth = draws.integers(0, 4, (3, 8, 8)).astype(np.uint8)
    truth[0, :3] = 255
    scores = draws.dirichlet(np.ones(5), truth.shape)
    scores[..., 4] = 0  # neither true nor predicted
    metric = keras.metrics.MeanIoU(5, ignore_class=255, sparse_y_pred=False)
    for each, score in zip(truth, scores, strict=True):
        metric.update_state(each, score)
    matrix = confusion_matrix(truth, scores.argmax(-1), 5)
    assert float(metric.result()) == pytest.approx(mean_intersection_over_union(matrix), abs=1e-6)


@pytest.mark.parametrize(
    ("truth", "predicted", "message"),
    [
        (np.zeros((2, 2), int), np.zeros((2, 3), int), r"shape of truth, \(2, 2\), got \(2, 3\)"),
        (np.array([0, 5]), np.array([0, 1]), r"truth must hold classes 0 … 2, got 5"),
        (np.array([0, 1]), np.array([0, 255]), r"predicted must hold classes 0 … 2, got 255"),
        (np.array([0, -1]), np.array([0, 1]), r"truth must hold classes 0 … 2, got -1"),
    ],
)
def test_wrong_values_are_named(truth, predicted, message):
    with pytest.raises(UserError, match=message):
        confusion_matrix(truth, predicted, 3)
