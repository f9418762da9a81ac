"""Rows of a table that all images of a batch share."""

from typing import Any

import keras

from rotkeras.arguments.accepted import Positive
from rotkeras.pretext.gather import gather
from rotkeras.pretext.layers.directions import check_count


@keras.saving.register_keras_serializable(package="rotkeras")
class SharedPlaces(keras.layers.Layer):
    """The places that the images of a batch have drawn, those of all devices, as one list.

    Args:
        rows: of the table; draws are taken modulo it.
        **arguments: of `keras.layers.Layer`.

    Input shape: int32 (B, m), not negative. Output shape: int32 (B·m,), of R devices (R·B·m,).

    Raises:
        UserError: for rows below 1.
    """

    def __init__(self, rows: Positive, **arguments: Any) -> None:
        check_count("rows", rows)
        super().__init__(**arguments)
        self.rows = rows
        self.built = True

    def call(self, inputs: Any) -> Any:
        """The places that all images of the batch have drawn."""
        everything, _ = gather(keras.ops.cast(inputs, "int32"))
        return keras.ops.reshape(everything, (-1,)) % self.rows

    def compute_output_spec(self, inputs: Any) -> Any:
        """int32 (B·m,)."""
        return keras.KerasTensor((None,), dtype="int32")

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {**super().get_config(), "rows": self.rows}
