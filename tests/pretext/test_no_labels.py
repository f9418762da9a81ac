import numpy as np
import tensorflow as tf

from rotkeras.pretext.no_labels import no_labels


def test_each_image_has_a_zero_whatever_was_drawn_for_it():
    for drawn in (np.ones(3, np.int64), np.ones((3, 5), np.int32), tf.ones((3, 2), tf.int32)):
        made = no_labels(drawn)
        np.testing.assert_array_equal(made, np.zeros(3))
        assert made.dtype == (np.int32 if isinstance(drawn, np.ndarray) else tf.int32)


def test_batches_of_unknown_and_known_size_keep_it():
    for count in (None, 4):
        made = tf.function(no_labels).get_concrete_function(tf.TensorSpec((count, 2), tf.int32))
        assert made.output_shapes.as_list() == [count]
