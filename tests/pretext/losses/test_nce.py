import keras
import numpy as np
import pytest

from rotkeras import UserError
from rotkeras.pretext.layers import ImageTable, NoiseContrast, SharedPlaces
from rotkeras.pretext.losses import log_ratios, nce
from rotkeras.pretext.nce_loss import NCE

RNG = np.random.default_rng(0)


def reference(scores, normaliser, images, temperature):
    """Equations 2, 6 and 7 of Wu et al., CVPR 2018, image by image in float64; the own row is the
    first."""
    losses = []
    for row in np.float64(scores):
        m = len(row) - 1
        h = []
        for score in row:
            p = np.exp(score / temperature) / normaliser
            h.append(p / (p + m / images))
        losses.append(-np.log(h[0]) - sum(np.log(1 - each) for each in h[1:]))
    return np.array(losses)


@pytest.mark.parametrize("negatives", [1, 7, 50])
@pytest.mark.parametrize("temperature", [0.07, 0.5])
def test_it_is_the_equation(negatives, temperature):
    scores = RNG.uniform(-1, 1, size=(4, 1 + negatives)).astype(np.float32)
    ratios = log_ratios(scores, np.float32(np.log(300.0)), negatives, 1000, temperature)
    np.testing.assert_allclose(nce(ratios), reference(scores, 300.0, 1000, temperature), rtol=1e-4)
    np.testing.assert_allclose(NCE().call(np.zeros(4), ratios), nce(ratios), rtol=1e-6)


def test_by_hand():
    # As likely by the model as by chance: h = 1/2 of each of three.
    np.testing.assert_allclose(nce(np.zeros((1, 3), np.float32)), [3 * np.log(2)], rtol=1e-6)
    # A negative that does not count adds nothing.
    left_out = np.array([[0, 0, -1e9]], np.float32)
    np.testing.assert_allclose(nce(left_out), [2 * np.log(2)], rtol=1e-6)


def test_large_ratios_overflow_nothing():
    found = np.asarray(nce(np.array([[-1e4, 1e4], [1e4, -1e4]], np.float32)))
    np.testing.assert_allclose(found, [2e4, 0])
    half = keras.ops.cast(RNG.normal(size=(3, 5)), "bfloat16")
    assert "float32" in str(nce(half).dtype)


@pytest.mark.parametrize("shape", [(3,), (3, 0), (2, 3, 4)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(UserError, match=r"log_ratios must be \(B, 1 \+ m\)"):
        nce(np.zeros(shape, np.float32))


def contrast(vectors, table, positions, places, layer, **settings):
    rows = np.asarray(table)
    return np.asarray(
        layer([vectors, rows[positions], rows[places], positions, places], **settings)
    )


def unit(*shape):
    vectors = RNG.normal(size=shape)
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("fixed", [True, False])
def test_a_batch_estimates_the_normaliser_which_may_stay(fixed):
    table, vectors = unit(20, 4), unit(3, 4)
    positions, places = np.array([1, 2, 3], np.int32), np.array([7, 1, 9, 7], np.int32)
    layer = NoiseContrast(20, 0.5, fixed)
    before = contrast(vectors, table, positions, places, layer)
    assert float(layer.estimated) == 0
    found = contrast(vectors, table, positions, places, layer, training=True)
    np.testing.assert_allclose(found, before, rtol=1e-5)
    # By hand: an own row is one of the 20, the others are as the negatives that are not it.
    others = [
        np.exp(vector @ table[place] / 0.5)
        for vector, own in zip(vectors, positions, strict=True)
        for place in places
        if place != own
    ]
    own_rows = np.exp(np.sum(vectors * table[positions], axis=1) / 0.5)
    z = np.mean(own_rows) + 19 * np.mean(others)
    assert float(layer.log_normaliser) == pytest.approx(np.log(z) if fixed else 0, rel=1e-5)
    expected = vectors @ table[places].T / 0.5 - np.log(z) - np.log(4 / 20)
    expected[0, 1] = -1e9  # place 1 is the own row of the first image
    np.testing.assert_allclose(found[:, 1:], expected, rtol=1e-4, atol=1e-5)
    # Vectors that are more alike: a batch's own estimate follows, the fixed one does not.
    alike = table[positions]
    later = contrast(alike, table, positions, places, layer, training=True)[:, 0]
    assert (later[0] == pytest.approx(1 / 0.5 - np.log(z) - np.log(4 / 20), rel=1e-4)) == fixed


def test_the_normaliser_is_the_sum_over_a_table_that_is_drawn_whole():
    """Each other row once as a negative: then the estimate is exact."""
    table, vectors = unit(12, 4), unit(1, 4)
    layer = NoiseContrast(12, 0.1, fixed=True)
    places = np.arange(12, dtype=np.int32)
    contrast(vectors, table, np.array([5], np.int32), places, layer, training=True)
    exact = np.sum(np.exp(np.float64(table @ vectors[0]) / 0.1))
    assert float(layer.log_normaliser) == pytest.approx(np.log(exact), rel=1e-5)


def test_a_perfect_table_has_the_probabilities_of_the_true_sum():
    """Own rows equal to their vectors, negatives at right angles: an own row is data almost
    certainly, and is not averaged away among many more rows."""
    images, dimensions = 4500, 64
    table = np.eye(dimensions, dtype=np.float32)[np.arange(images) % dimensions]
    table[8:] = np.eye(dimensions, dtype=np.float32)[8 + np.arange(images - 8) % (dimensions - 8)]
    positions, places = np.arange(8, dtype=np.int32), np.arange(8, 408, dtype=np.int32)
    ratios = contrast(table[:8], table, positions, places, NoiseContrast(images, 0.07))
    exact = np.exp(1 / 0.07) + (images - 1)
    np.testing.assert_allclose(
        ratios[:, 0], 1 / 0.07 - np.log(exact) - np.log(400 / images), rtol=1e-4
    )
    expected = reference(np.eye(1, 401), exact, images, 0.07)
    np.testing.assert_allclose(nce(ratios), np.repeat(expected, 8), rtol=1e-3)
    assert float(np.max(nce(ratios))) < np.log(2)


def test_a_table_of_one_row_has_a_normaliser():
    row = unit(1, 4)
    zero = np.zeros(1, np.int32)
    ratios = contrast(row, row, zero, zero, NoiseContrast(1, 0.5))
    np.testing.assert_allclose(ratios, [[0, -1e9]], atol=1e-5)


def test_images_of_a_batch_share_their_places():
    drawn = np.array([[3, 14], [2**31 - 2, 5]], np.int32)
    np.testing.assert_array_equal(SharedPlaces(10)(drawn), [3, 4, (2**31 - 2) % 10, 5])
    with pytest.raises(UserError, match="rows must be a whole number of at least 1, got 0"):
        SharedPlaces(0)


def test_a_table_keeps_the_last_vector_of_an_image_that_comes_twice():
    table = ImageTable(5, 2, momentum=0.0)
    before = np.asarray(table.rows)
    vectors = np.array([[3, 0], [0, -2], [0, 4], [1, 0]], np.float32)
    places = np.array([4, 1, 4, 1], np.int32)
    own, others = table([vectors, places, np.array([0, 4, 4], np.int32)], training=True)
    np.testing.assert_array_equal(own, before[places])
    np.testing.assert_array_equal(others, before[[0, 4, 4]])
    np.testing.assert_allclose(np.asarray(table.rows)[[1, 4]], [[1, 0], [0, 1]], atol=1e-6)
    np.testing.assert_array_equal(np.asarray(table.rows)[[0, 2, 3]], before[[0, 2, 3]])


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: NoiseContrast(0), "images must be a whole number"),
        (lambda: NoiseContrast(5, fixed=1), "fixed must be true or false, got 1"),
        (lambda: NoiseContrast(5, 0.0), "temperature must be at least 0.001, got 0"),
    ],
)
def test_wrong_settings_are_one_sentence(make, words):
    with pytest.raises(UserError, match=words):
        make()
