"""The embeddings of past batches."""

from typing import Any

import keras

from rotkeras.arguments.accepted import Positive
from rotkeras.errors import UserError
from rotkeras.pretext.gather import gather
from rotkeras.pretext.layers.directions import add_directions, check_count


@keras.saving.register_keras_serializable(package="rotkeras")
class Queue(keras.layers.Layer):
    """A queue of the latest vectors, as a weight that is saved with the model.

    In training it returns the vectors of earlier batches and then takes those of this one in, in
    place of the oldest. It begins with random directions of unit length.

    Args:
        size: number of vectors that it holds, a multiple of the batch.
        dimensions: length of a vector.
        seed: of the first vectors.
        **arguments: of `keras.layers.Layer`.

    Input shape: (B, dimensions), B at most size and the same in every step; the vectors of several
    devices are gathered. Output shape: (size, dimensions),
    without gradient.

    Raises:
        UserError: for a size or dimensions below 1, and a batch that does not divide the size.

    Reference:
        He et al., Momentum Contrast for Unsupervised Visual Representation Learning, CVPR 2020,
        section 3.2.
    """

    def __init__(
        self, size: Positive, dimensions: Positive, seed: int = 0, **arguments: Any
    ) -> None:
        check_count("size", size)
        check_count("dimensions", dimensions)
        # In float32 under any policy, as the vectors were given.
        super().__init__(**{**arguments, "dtype": "float32"})
        self.size, self.dimensions, self.seed = size, dimensions, seed
        self.vectors = add_directions(self, size, dimensions, seed, "vectors")
        self.built = True

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """The vectors before this batch."""
        before = keras.ops.stop_gradient(keras.ops.copy(self.vectors.value))
        if training:
            new, _ = gather(keras.ops.stop_gradient(keras.ops.cast(inputs, "float32")))
            count = keras.ops.shape(new)[0]
            if isinstance(count, int) and self.size % count:
                raise UserError(
                    f"The size of a Queue must be a multiple of the batch, got {self.size} for"
                    f" batches of {count}; choose another size or train.images_per_batch."
                )
            self.vectors.assign(keras.ops.concatenate([new, self.vectors.value[:-count]], axis=0))
        return before

    def compute_output_shape(self, input_shape: Any) -> tuple[int, int]:
        """(size, dimensions)."""
        return self.size, self.dimensions

    def compute_output_spec(self, inputs: Any, training: bool | None = None) -> Any:
        """float32 (size, dimensions)."""
        return keras.KerasTensor((self.size, self.dimensions), dtype="float32")

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {
            **super().get_config(),
            "size": self.size,
            "dimensions": self.dimensions,
            "seed": self.seed,
        }
