"""Features of the tiles of an image in several orders."""

from typing import Any

import keras

Tensor = Any


@keras.saving.register_keras_serializable(package="rotkeras")
class InOrders(keras.layers.Layer):
    """The rows of each image in several orders, each order as one long row.

    `call` takes rows (B, T, d) and orders, int32 (B, K, T): the number of the row that stands at
    each place. It returns (B·K, T·d), the orders of an image side by side.
    """

    def call(self, inputs: Tensor, orders: Tensor) -> Tensor:
        """The rows in the given orders: (B·K, T·d)."""
        ops = keras.ops
        tiles, width = inputs.shape[1:]
        count = orders.shape[1]
        # A product with ones and zeros: its gradient is a product too, which is the same each time
        # on every device, where that of a gather adds in any order. A GPU rounds the rows to 10
        # bits, as the dense layer behind it does, so nothing more is lost.
        places = ops.one_hot(ops.reshape(orders, (-1, count * tiles)), tiles, dtype=inputs.dtype)
        return ops.reshape(ops.matmul(places, inputs), (-1, tiles * width))

    def compute_output_spec(self, inputs: Any, orders: Any) -> Any:
        """Shape and dtype of what `call` returns."""
        batch, tiles, width = inputs.shape
        rows = None if batch is None else batch * orders.shape[1]
        return keras.KerasTensor((rows, tiles * width), dtype=inputs.dtype)
