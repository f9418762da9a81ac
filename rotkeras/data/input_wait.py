"""How long training waits for its input, measured where the waiting happens."""

import time
from typing import Any

import numpy as np
import tensorflow as tf


class InputWait:
    """A clock that runs while the consumer of a dataset is blocked on it.

    Attributes:
        seconds: time waited so far.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self._asked = 0.0

    def measure(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
        """The same dataset, measured. `dataset` should end in a prefetch; nothing may prefetch
        after it.

        `zip` pulls its parts one after the other: the first notes when a batch was requested, the
        second waits for it, the third notes when it came.
        """
        as_written = tf.autograph.experimental.do_not_convert
        asked = tf.data.Dataset.counter().map(as_written(lambda n: self._note(self._ask, n)))
        came = tf.data.Dataset.counter().map(as_written(lambda n: self._note(self._receive, n)))
        measured = tf.data.Dataset.zip((asked, dataset, came)).map(
            as_written(lambda _before, batch, _after: batch)
        )
        if dataset.cardinality() >= 0:
            measured = measured.apply(
                tf.data.experimental.assert_cardinality(dataset.cardinality())
            )
        options = tf.data.Options()
        options.experimental_optimization.inject_prefetch = False
        options.experimental_optimization.map_parallelization = False  # it would note ahead of time
        return measured.with_options(options)

    def _note(self, function: Any, number: Any) -> Any:
        # Said to have no state, though the clock is one: where results must be the same bit for
        # bit, TensorFlow takes all parallel maps and prefetching from a pipeline that has some.
        return tf.numpy_function(function, [number], tf.int64, stateful=False)

    def _ask(self, number: Any) -> Any:
        self._asked = time.perf_counter()
        return np.int64(number)

    def _receive(self, number: Any) -> Any:
        self.seconds += time.perf_counter() - self._asked
        return np.int64(number)
