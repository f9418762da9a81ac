"""Layers on the tiles of an image: by hand, in graphs of unknown batches, saved and loaded."""

import keras
import numpy as np
import pytest

from rotkeras.pretext.layers import InOrders, PairsWithCentre, TilesOfImage

ROWS = np.random.default_rng(0).normal(size=(12, 2)).astype(np.float32)


def test_rows_of_an_image_are_beside_each_other():
    layer = TilesOfImage(3, (8, 9, 3))
    np.testing.assert_array_equal(layer(ROWS), ROWS.reshape(4, 3, 2))
    assert layer.compute_output_shape((None, 2)) == (None, 3, 2)
    assert layer.compute_output_shape((12, 2)) == (4, 3, 2)
    again = TilesOfImage.from_config(layer.get_config())
    assert (again.tiles, again.image_shape) == (3, (8, 9, 3))


@pytest.mark.parametrize("centre", [0, 1, 2])
def test_each_pair_is_the_centre_and_another(centre):
    images = ROWS.reshape(4, 3, 2)
    expected = [
        np.concatenate([image[centre], image[other]])
        for image in images
        for other in range(3)
        if other != centre
    ]
    layer = PairsWithCentre(centre)
    np.testing.assert_array_equal(layer(images), expected)
    assert layer.compute_output_shape((None, 3, 2)) == (None, 4)
    assert layer.compute_output_shape((4, 3, 2)) == (8, 4)
    assert PairsWithCentre.from_config(layer.get_config()).centre == centre


def test_rows_are_put_in_orders():
    images = ROWS.reshape(4, 3, 2)
    orders = np.array([[[0, 1, 2], [2, 0, 1]]] * 3 + [[[1, 1, 0], [2, 1, 0]]], np.int32)
    expected = [
        np.concatenate([images[image][number] for number in order])
        for image in range(4)
        for order in orders[image]
    ]
    np.testing.assert_array_equal(InOrders()(images, orders), expected)


def test_gradients_go_to_the_rows_that_were_taken():
    import tensorflow as tf

    images = tf.constant(ROWS.reshape(4, 3, 2))
    orders = np.zeros((4, 5, 3), np.int32)
    orders[:, 0] = [0, 1, 2]  # the first row is taken 13 times, the others once
    with tf.GradientTape() as tape:
        tape.watch(images)
        total = tf.reduce_sum(InOrders()(images, orders))
    gradient = tape.gradient(total, images)
    np.testing.assert_array_equal(gradient[:, :, 0], [[13, 1, 1]] * 4)


def test_a_model_of_them_is_saved_and_takes_batches_of_any_size(tmp_path):
    rows = keras.Input((2,))
    orders = keras.Input((2, 3), dtype="int32")
    of_image = TilesOfImage(3, (8, 8, 3))(rows)
    outputs = [PairsWithCentre(1)(of_image), InOrders()(of_image, orders)]
    assert [each.shape for each in outputs] == [(None, 4), (None, 6)]
    model = keras.Model([rows, orders], outputs)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    for count in (1, 4):
        given = [ROWS[: 3 * count], np.array([[[0, 1, 2], [2, 1, 0]]] * count, np.int32)]
        pairs, ordered = loaded(given)
        assert pairs.shape == (2 * count, 4)
        assert ordered.shape == (2 * count, 6)
        np.testing.assert_array_equal(ordered, model(given)[1])
