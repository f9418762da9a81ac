"""The rows of a batch on all devices."""

from typing import Any

import keras

Tensor = Any


def gather(rows: Tensor) -> tuple[Tensor, Any]:
    """The rows of all replicas of a `tf.distribute` strategy, and where those of this one begin.

    Gradients flow back to the replica that a row came from. On JAX, and on one device, the rows are
    all there already.

    Args:
        rows: (B, …).

    Returns:
        ((R·B, …) in the order of the replicas, the position of the first row of this one).
    """
    if keras.backend.backend() != "tensorflow":
        return rows, 0
    import tensorflow as tf

    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return rows, 0
    everything = context.all_gather(rows, axis=0)
    everything = tf.ensure_shape(everything, (None, *rows.shape[1:]))  # which gathering forgets
    # Replicas may have parts of different sizes: of a batch that does not divide evenly.
    counts = context.all_gather(tf.shape(rows)[:1], axis=0)
    return everything, tf.reduce_sum(counts[: context.replica_id_in_sync_group])
