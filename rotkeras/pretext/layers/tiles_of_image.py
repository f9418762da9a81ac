"""Features of the tiles of an image, beside each other."""

from typing import Any

import keras

Tensor = Any


@keras.saving.register_keras_serializable(package="rotkeras")
class TilesOfImage(keras.layers.Layer):
    """Rows of tiles, those of an image beside each other: (B·T, d) -> (B, T, d).

    The layer knows what images the tiles were cut from, which the network that is kept sees whole.

    Args:
        tiles: T, of each image.
        image_shape: (H, W, 3) of the images.
        **arguments: of `keras.layers.Layer`.
    """

    def __init__(self, tiles: int, image_shape: Any, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.tiles = tiles
        self.image_shape = tuple(image_shape)

    def call(self, inputs: Tensor) -> Tensor:
        """The rows of each image: (B, T, d)."""
        return keras.ops.reshape(inputs, (-1, self.tiles, inputs.shape[-1]))

    def compute_output_shape(self, input_shape: Any) -> Any:
        """(B, T, d)."""
        rows = None if input_shape[0] is None else input_shape[0] // self.tiles
        return (rows, self.tiles, input_shape[-1])

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {
            **super().get_config(),
            "tiles": self.tiles,
            "image_shape": list(self.image_shape),
        }
