"""Features of the centre tile of an image beside those of each of its neighbours."""

from typing import Any

import keras

Tensor = Any


@keras.saving.register_keras_serializable(package="rotkeras")
class PairsWithCentre(keras.layers.Layer):
    """Pairs of rows: one of them, and each of the others.

    (B, T, d) -> (B·(T − 1), 2d): the row of the centre, then that of another, those of an image
    side by side.

    Args:
        centre: the number of the row that is in all pairs.
        **arguments: of `keras.layers.Layer`.
    """

    def __init__(self, centre: int, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.centre = centre

    def call(self, inputs: Tensor) -> Tensor:
        """The pairs: (B·(T − 1), 2d)."""
        ops, at = keras.ops, self.centre
        tiles, width = inputs.shape[1:]
        others = ops.concatenate([inputs[:, :at], inputs[:, at + 1 :]], axis=1)
        centre = ops.tile(inputs[:, at : at + 1], (1, tiles - 1, 1))
        return ops.reshape(ops.concatenate([centre, others], axis=2), (-1, 2 * width))

    def compute_output_shape(self, input_shape: Any) -> Any:
        """(B·(T − 1), 2d)."""
        batch, tiles, width = input_shape
        return (None if batch is None else batch * (tiles - 1), 2 * width)

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {**super().get_config(), "centre": self.centre}
