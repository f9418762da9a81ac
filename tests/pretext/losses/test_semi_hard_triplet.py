import numpy as np
import pytest

from rotkeras import UserError
from rotkeras.pretext.losses import semi_hard_triplet


def reference(z, labels, copies, margin):
    """FaceNet's loss by loops in float64: pairs of copies side by side, negatives of any other
    image."""
    z = np.asarray(z, np.float64)
    z = z / np.linalg.norm(z, axis=1, keepdims=True)
    losses = []
    for a in range(len(z)):
        of_pairs, group = [], a // copies
        for p in range(group * copies, (group + 1) * copies):
            if p == a:
                continue
            positive = np.sum((z[a] - z[p]) ** 2)
            negatives = [
                np.sum((z[a] - z[n]) ** 2) for n in range(len(z)) if labels[n] != labels[a]
            ]
            farther = [d for d in negatives if d > positive]
            if negatives:
                negative = min(farther) if farther else max(negatives)
                of_pairs.append(max(0.0, margin + positive - negative))
        losses.append(np.mean(of_pairs) if of_pairs else 0.0)
    return np.array(losses)


def batch(images, copies, size=5, seed=0):
    z = np.random.default_rng(seed).normal(size=(images * copies, size)).astype(np.float32)
    return z, np.repeat(np.arange(images) * 7 + 3, copies)


@pytest.mark.parametrize("margin", [0.0, 0.5, 2.0])
@pytest.mark.parametrize(("images", "copies"), [(2, 2), (5, 3), (4, 8)])
def test_it_is_the_definition(images, copies, margin):
    z, labels = batch(images, copies)
    found = np.asarray(semi_hard_triplet(z, labels, copies, margin))
    np.testing.assert_allclose(found, reference(z, labels, copies, margin), atol=2e-6)


def test_by_hand():
    # Angles of unit vectors: squared distances are 2 − 2 cos.
    degrees = np.array([0, 60, 90, 180])
    z = np.stack([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))], 1)
    found = np.asarray(semi_hard_triplet(z, [0, 0, 1, 1], 2, 0.5))
    # Copy 0: its positive is at 1; the nearest that is farther is at 2: max(0, 0.5 + 1 − 2) = 0.
    # Copy 1: 1; negatives at 2 − √3 and 3, of which 3 is farther: 0.
    # Copy 2: 2; negatives at 2 and 2 − √3, none farther: 0.5 + 2 − 2.
    # Copy 3: 2; negatives at 4 and 3; the nearest farther is 3: 0.
    np.testing.assert_allclose(found, [0, 0, 0.5, 0], atol=1e-5)


def test_equal_rows_have_the_loss_of_the_margin():
    z = np.ones((6, 3), np.float32)
    np.testing.assert_allclose(semi_hard_triplet(z, np.repeat([0, 1], 3), 3, 0.5), 0.5, atol=1e-6)


def test_zero_vectors_and_a_batch_of_one_image_are_finite():
    assert np.isfinite(np.asarray(semi_hard_triplet(np.zeros((4, 3)), [0, 0, 1, 1], 2))).all()
    z, labels = batch(1, 4)
    np.testing.assert_array_equal(semi_hard_triplet(z, labels, 4), np.zeros(4))


def test_an_image_that_comes_twice_is_no_negative_of_itself():
    z, _ = batch(3, 2)
    labels = np.array([5, 5, 9, 9, 5, 5])
    found = np.asarray(semi_hard_triplet(z, labels, 2, 1.0))
    np.testing.assert_allclose(found, reference(z, labels, 2, 1.0), atol=2e-6)
    # The two other images are all that the four copies are compared with.
    moved = np.concatenate([z[:4], -z[4:]])
    np.testing.assert_allclose(semi_hard_triplet(moved, labels, 2, 1.0)[:2], found[:2], atol=1e-6)


def test_a_part_of_the_batch_has_the_losses_of_the_whole():
    z, labels = batch(6, 3)
    whole = np.asarray(semi_hard_triplet(z, labels, 3))
    parts = [
        np.asarray(semi_hard_triplet(z[b : b + 6], labels[b : b + 6], 3, 0.5, z, labels))
        for b in (0, 6, 12)
    ]
    np.testing.assert_allclose(np.concatenate(parts), whole, rtol=1e-5, atol=1e-6)


def test_the_gradient_is_that_of_the_chosen_triplets():
    import tensorflow as tf

    z, labels = batch(3, 2, size=3)
    variable = tf.Variable(z)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(semi_hard_triplet(variable, labels, 2, 1.0))
    found = tape.gradient(loss, variable).numpy()
    step = 1e-5
    for place in np.ndindex(z.shape):
        near = []
        for sign in (1, -1):
            moved = z.astype(np.float64)
            moved[place] += sign * step
            near.append(reference(moved, labels, 2, 1.0).sum())
        assert found[place] == pytest.approx((near[0] - near[1]) / (2 * step), abs=2e-3)


def test_sixteen_bits_are_compared_in_float32():
    from keras import ops

    z, labels = batch(4, 2)
    found = semi_hard_triplet(ops.cast(z, "bfloat16"), labels, 2)
    rounded = np.asarray(ops.cast(ops.cast(z, "bfloat16"), "float32"))
    np.testing.assert_allclose(found, reference(rounded, labels, 2, 0.5), atol=1e-5)


@pytest.mark.parametrize(
    ("labels", "others", "other_labels", "sentence"),
    [
        ((1,), None, None, r"labels must be \(8,\), one for each row of embeddings, got \(1,\)"),
        ((2,), None, None, r"labels must be \(8,\), one for each row of embeddings, got \(2,\)"),
        ((2, 4), None, None, r"labels must be \(8,\), one for .* got \(2, 4\)"),
        ((), None, None, r"labels must be \(8,\), one for .* got \(\)"),
        (
            (8,),
            (16, 3),
            (8,),
            r"other_labels must be \(16,\), one for each row of others, got \(8,\)",
        ),
        ((8,), (16, 3), None, r"other_labels must be given where .* got None"),
        ((8,), None, (16,), r"others must be given where .* got None"),
    ],
)
def test_labels_are_one_for_each_row(labels, others, other_labels, sentence):
    given = [None if each is None else np.zeros(each) for each in (others, other_labels)]
    with pytest.raises(UserError, match=sentence):
        semi_hard_triplet(np.ones((8, 3)), np.zeros(labels), 4, 0.5, *given)


def test_a_graph_of_any_batch_takes_labels_of_any_batch():
    import tensorflow as tf

    given = [tf.TensorSpec((None, 5), tf.float32), tf.TensorSpec((None,), tf.int32)]
    z, labels = batch(3, 2)
    found = tf.function(lambda z, labels: semi_hard_triplet(z, labels, 2), given)(z, labels)
    np.testing.assert_allclose(found, reference(z, labels, 2, 0.5), atol=2e-6)


def test_wrong_shapes_and_settings():
    with pytest.raises(UserError, match=r"embeddings must be \(B·4, d\), 4 copies .* got \(6, 3\)"):
        semi_hard_triplet(np.zeros((6, 3)), np.zeros(6), 4)
    with pytest.raises(UserError, match="copies must be at least 2, got 1"):
        semi_hard_triplet(np.zeros((6, 3)), np.zeros(6), 1)
    with pytest.raises(UserError, match="margin must be at least 0, got -1"):
        semi_hard_triplet(np.zeros((6, 3)), np.zeros(6), 2, -1.0)
