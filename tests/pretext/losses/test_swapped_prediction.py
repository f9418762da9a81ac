import keras
import numpy as np
import pytest

from rotkeras import UserError
from rotkeras.pretext.losses import sinkhorn, swapped_prediction
from rotkeras.pretext.prototype_losses import AssignmentAgreement, SwappedPrediction

RNG = np.random.default_rng(0)


def reference(scores, assignments, temperature):
    """Equations 1, 2 and 6 of Caron et al., NeurIPS 2020, image by image in float64."""
    losses = []
    for s, q in zip(np.float64(scores), np.float64(assignments), strict=True):
        total = 0.0
        for assigned in range(len(q)):
            terms = []
            for view in range(len(s)):
                if view != assigned:
                    p = np.exp(s[view] / temperature)
                    p /= p.sum()
                    terms.append(-sum(q[assigned][k] * np.log(p[k]) for k in range(len(p))))
            total += np.mean(terms)
        losses.append(total / len(q))
    return np.array(losses)


def drawn(images, views, prototypes):
    scores = RNG.uniform(-1, 1, size=(images, views, prototypes)).astype(np.float32)
    assigned = np.stack([np.asarray(sinkhorn(scores[:, v])) for v in (0, 1)], axis=1)
    return scores, assigned


@pytest.mark.parametrize(("images", "views"), [(1, 2), (4, 2), (5, 6)])
@pytest.mark.parametrize("temperature", [0.1, 1.0])
def test_it_is_the_equation(images, views, temperature):
    scores, assigned = drawn(images, views, 3)
    found = np.asarray(swapped_prediction(scores, assigned, temperature))
    np.testing.assert_allclose(found, reference(scores, assigned, temperature), rtol=1e-5)


def test_no_gradient_flows_through_assignments():
    import tensorflow as tf

    scores, _ = drawn(3, 2, 4)
    variable = tf.Variable(scores)
    loss = SwappedPrediction(temperature=0.5)
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(loss.call(np.zeros(3), variable))
    found = tape.gradient(total, variable).numpy()
    # Of a cross-entropy with constant targets q: (softmax(s / τ) − q) / (τ · 2) for each view.
    assigned = np.stack([np.asarray(sinkhorn(scores[:, v])) for v in (1, 0)], axis=1)
    p = np.exp(scores / 0.5)
    p /= p.sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(found, (p - assigned) / (0.5 * 2), atol=1e-5)


def test_the_loss_of_keras_assigns_each_whole_view_by_itself():
    scores, assigned = drawn(6, 4, 5)
    loss = SwappedPrediction(0.2)
    np.testing.assert_allclose(
        loss.call(np.zeros(6), scores), swapped_prediction(scores, assigned, 0.2), rtol=1e-6
    )
    again = SwappedPrediction.from_config(loss.get_config())
    assert float(again(np.zeros(6), scores)) == float(loss(np.zeros(6), scores))
    # Of a part of the batch, with those of all: its own rows.
    part = loss.of_rows(scores[2:4], scores, 2)
    np.testing.assert_allclose(part, loss.call(np.zeros(6), scores)[2:4], rtol=1e-6)


def test_the_loss_of_sixteen_bits_is_computed_in_float32():
    scores, _ = drawn(4, 2, 5)
    half = keras.ops.cast(scores, "bfloat16")
    exact = keras.ops.cast(half, "float32")
    found = SwappedPrediction().call(np.zeros(4), half)
    assert "float32" in str(found.dtype)
    np.testing.assert_allclose(found, SwappedPrediction().call(np.zeros(4), exact), rtol=1e-6)


def test_agreement_by_hand():
    metric = AssignmentAgreement(name="agreement")
    # Four images, two prototypes: all agree; one view that turns is wrong twice.
    sure = np.array([[[1, 0], [1, 0]], [[1, 0], [1, 0]], [[0, 1], [0, 1]], [[0, 1], [0, 1]]])
    metric.update_state(None, sure.astype(np.float32))
    assert float(metric.result()) == 1.0
    metric.reset_state()
    swapped = sure[[0, 1, 2, 3]].copy()
    swapped[0, 1], swapped[2, 1] = [0, 1], [1, 0]
    metric.update_state(None, swapped.astype(np.float32))
    assert float(metric.result()) == 0.5


@pytest.mark.parametrize("value", [0.0, 0.3])
def test_a_collapse_has_no_agreement(value):
    metric = AssignmentAgreement()
    row = np.tile(RNG.normal(size=(1, 1, 8)) + value, (6, 2, 1)).astype(np.float32)
    metric.update_state(None, row)
    assert float(metric.result()) == 0.0


@pytest.mark.parametrize(
    ("scores", "assignments", "words"),
    [
        ((4, 3), (4, 2, 3), r"scores must be \(B, V, K\)"),
        ((4, 1, 3), (4, 1, 3), r"scores must be \(B, V, K\)"),
        ((4, 2, 3), (4, 2, 5), r"assignments must be \(B, A, 3\)"),
        ((4, 2, 3), (4, 3, 3), r"assignments must be \(B, A, 3\)"),
    ],
)
def test_other_shapes_are_refused(scores, assignments, words):
    with pytest.raises(UserError, match=words):
        swapped_prediction(np.zeros(scores, np.float32), np.zeros(assignments, np.float32))
