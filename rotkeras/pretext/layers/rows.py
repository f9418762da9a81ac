"""Some rows of a large weight, read and written without a copy of the others."""

from typing import Any

import keras

Tensor = Any


def take_rows(weight: Any, places: Tensor) -> Tensor:
    """Rows of a weight.

    Args:
        weight: a Keras variable (N, d).
        places: int32 (M,), from 0 to N − 1.

    Returns:
        (M, d).
    """
    if keras.backend.backend() != "tensorflow":
        return keras.ops.take(weight.value, places, axis=0)
    import tensorflow as tf

    # `keras.ops.take` reads the whole variable, which TensorFlow then copies.
    return tf.gather(weight.value, places)


def set_rows(weight: Any, places: Tensor, rows: Tensor) -> None:
    """Write rows of a weight: on one device of TensorFlow in place; elsewhere the weight is made
    anew, which `jit` of JAX may do in place.

    Args:
        weight: a Keras variable (N, d).
        places: int32 (M,), from 0 to N − 1; rows of equal places must be equal.
        rows: (M, d).
    """
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        context = tf.distribute.get_replica_context()
        if context is not None and context.num_replicas_in_sync == 1:
            weight.value.scatter_update(tf.IndexedSlices(rows, places))
            return
    weight.assign(keras.ops.scatter_update(weight.value, places[:, None], rows))
