"""The layer that makes views inside the step."""

from collections.abc import Sequence
from typing import Any

import keras

from rotkeras.errors import UserError


class MakeViews(keras.layers.Layer):
    """Augmented views of the images that are sent, or that this layer holds.

    Args:
        steps: augmentations and, last, the task: what has `apply(images, draws)`.
        widths: columns of draws of each.
        view_shape: (H, W, C) of a view.
        resident: uint8 (R, H, W, 3), images that are kept in the memory of the device; None for
            images that are sent.

    Resident images are a weight, so that the compiled step takes them as an argument and not as a
    constant of its code. Files of weights leave them out: the next run has them from the source
    again.
    """

    makes_views = True

    def __init__(
        self,
        steps: Sequence[Any],
        widths: Sequence[int],
        view_shape: Sequence[int],
        resident: Any = None,
        **arguments: Any,
    ) -> None:
        super().__init__(**arguments)
        self.steps = list(steps)
        self.widths = list(widths)
        self.view_shape = tuple(view_shape)
        self.resident = None
        if resident is not None:
            self.resident = self.add_weight(
                shape=resident.shape,
                dtype="uint8",
                initializer=lambda shape, dtype=None: keras.ops.convert_to_tensor(resident, dtype),  # noqa: ARG005
                trainable=False,
                autocast=False,
                name="images",
            )
        self.built = True

    def call(self, inputs: dict[str, Any]) -> Any:
        """The views: (B·V, H, W, C)."""
        images = (
            inputs["images"]
            if self.resident is None
            else keras.ops.take(self.resident, inputs["rows"], axis=0)
        )
        begin = 0
        for step, width in zip(self.steps, self.widths, strict=True):
            images = step.apply(
                images, inputs["draws"][:, begin : begin + width] if width else None
            )
            begin += width
        return images

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """(B·V, H, W, C)."""
        return (None, *self.view_shape)

    def compute_output_spec(self, inputs: Any) -> Any:
        """Of `call`, which Keras then need not trace with an unknown batch."""
        return keras.KerasTensor(self.compute_output_shape(inputs), dtype="uint8")

    def get_config(self) -> dict[str, Any]:
        """None: a file could not make this layer again.

        Raises:
            UserError: always.
        """
        raise UserError(
            "A model that makes its views inside the step is not for files: expected its network;"
            " save task.classifier(model)."
        )

    def save_own_variables(self, store: Any) -> None:
        """Nothing: images are not learned."""

    def load_own_variables(self, store: Any) -> None:
        """Nothing."""
