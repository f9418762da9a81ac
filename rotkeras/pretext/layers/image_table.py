"""One row for each image."""

from typing import Any

import keras

from rotkeras.arguments.accepted import Positive, Strength
from rotkeras.pretext.gather import gather
from rotkeras.pretext.layers.directions import add_directions, check_count, check_share
from rotkeras.pretext.layers.rows import set_rows, take_rows


@keras.saving.register_keras_serializable(package="rotkeras")
class ImageTable(keras.layers.Layer):
    """A vector for each training image, as a weight that is saved with the model: a memory bank.

    In training it returns the rows of the batch and then moves them towards new vectors: row =
    momentum · row + (1 − momentum) · vector, divided by its length. Rows start as random
    directions.

    Args:
        images: number of rows.
        dimensions: length of a row.
        momentum: from 0 (the latest vector) to 1 (no change).
        seed: of the first rows.
        **arguments: of `keras.layers.Layer`.

    Input shape: a list of vectors (B, dimensions) and int32 positions (B,); those of several
    devices are gathered, and of an image that comes several times the last vector counts. A third
    input, int32 (M,), is positions of other rows, which do not move.
    Output shape: (B, dimensions), the rows before, without gradient; with other rows a list of
    these and (M, dimensions).

    Raises:
        UserError: for images or dimensions below 1, and a momentum outside 0 … 1.

    Reference:
        Wu, Xiong, Yu, Lin, Unsupervised Feature Learning via Non-Parametric Instance
        Discrimination, CVPR 2018, section 3.2.
    """

    def __init__(
        self,
        images: Positive,
        dimensions: Positive,
        momentum: Strength = 0.5,
        seed: int = 0,
        **arguments: Any,
    ) -> None:
        check_count("images", images)
        check_count("dimensions", dimensions)
        check_share("momentum", momentum)
        # In float32 under any policy: a sixteen-bit average would round small steps away.
        super().__init__(**{**arguments, "dtype": "float32"})
        self.images, self.dimensions = images, dimensions
        self.momentum, self.seed = momentum, seed
        self.rows = add_directions(self, images, dimensions, seed, "rows")
        self.built = True

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """The rows of the images, before they move."""
        vectors, positions, *others = inputs
        before, *of_others = (
            keras.ops.stop_gradient(take_rows(self.rows, keras.ops.cast(each, "int32")))
            for each in (positions, *others)
        )
        if training:
            vectors = keras.ops.stop_gradient(keras.ops.cast(vectors, "float32"))
            moved = self.momentum * before + (1 - self.momentum) * vectors
            moved, _ = gather(keras.ops.normalize(moved, axis=1))
            places, _ = gather(keras.ops.cast(positions, "int32"))
            moved = keras.ops.take(moved, _last_of_equals(places), axis=0)
            set_rows(self.rows, places, moved)
        return [before, *of_others] if others else before

    def compute_output_spec(self, inputs: Any, training: bool | None = None) -> Any:
        """float32 (B, dimensions), and (M, dimensions) of other rows."""
        made = [
            keras.KerasTensor((each.shape[0], self.dimensions), dtype="float32")
            for each in inputs[1:]
        ]
        return made if made[1:] else made[0]

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {
            **super().get_config(),
            "images": self.images,
            "dimensions": self.dimensions,
            "momentum": self.momentum,
            "seed": self.seed,
        }


def _last_of_equals(places: Any) -> Any:
    """int32 (B,): where the last number that is equal to each stands. A scatter of several rows to
    one place would keep any of them."""
    ops = keras.ops
    numbers = ops.arange(ops.shape(places)[0])
    return ops.max(ops.where(places[:, None] == places[None], numbers[None], -1), axis=1)
