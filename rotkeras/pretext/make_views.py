"""The layer that makes views inside the step."""

import zlib
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from rotkeras.data.augmentation import _PadCropFlip
from rotkeras.data.blur import GaussianBlur
from rotkeras.data.color import ColorJitter, RandomGrayscale
from rotkeras.data.resized_crop import RandomResizedCrop
from rotkeras.data.solarize import RandomSolarize
from rotkeras.errors import UserError
from rotkeras.pretext import NAMES

# rotkeras.data does not import Keras.
keras.saving.register_keras_serializable(package="rotkeras", name="PadCropFlip")(_PadCropFlip)
_AUGMENTATIONS = (ColorJitter, GaussianBlur, RandomGrayscale, RandomResizedCrop, RandomSolarize)
for _each in (*_AUGMENTATIONS, *NAMES.values()):
    keras.saving.register_keras_serializable(package="rotkeras")(_each)


@keras.saving.register_keras_serializable(package="rotkeras")
class MakeViews(keras.layers.Layer):
    """Augmented views of the images that are sent, or that this layer holds.

    Args:
        steps: augmentations and, last, the task: what has `apply(images, draws)`.
        widths: columns of draws of each.
        view_shape: (H, W, C) of a view; for a task whose x is a dict, a dict of the shapes of its
            rows, of which those of three numbers are views, and the others integers.
        resident: uint8 (R, H, W, 3), images that are kept in the memory of the device; None for
            images that are sent.
        images: shape and checksum of the resident images of a layer that is read from a file, as
            `get_config` gives them.

    Resident images are a weight, so that the compiled step takes them as an argument and not as a
    constant of its code. No file holds them: `InStep.attach_images` gives them to a model that was
    loaded, and until then the layer refuses to make views.
    """

    makes_views = True

    def __init__(
        self,
        steps: Sequence[Any],
        widths: Sequence[int],
        view_shape: Any,
        resident: Any = None,
        images: dict[str, Any] | None = None,
        **arguments: Any,
    ) -> None:
        super().__init__(**arguments)
        self.steps = list(steps)
        self.widths = list(widths)
        self.view_shape: Any = (
            {name: tuple(each) for name, each in view_shape.items()}
            if isinstance(view_shape, dict)
            else tuple(view_shape)
        )
        self.images = images if resident is None else describe_images(resident)
        self.images_missing = resident is None and images is not None
        self.resident = None
        if self.images is not None:
            self.resident = self.add_weight(
                shape=tuple(self.images["shape"]),
                dtype="uint8",
                initializer="zeros" if resident is None else _given(resident),
                trainable=False,
                autocast=False,
                name="images",
            )
        self.built = True

    def call(self, inputs: dict[str, Any]) -> Any:
        """The views: (B·V, H, W, C), or a dict of them.

        Raises:
            UserError: when the resident images of a loaded model are not there yet.
        """
        if self.images_missing:
            raise UserError(
                "The resident images are not part of a saved model: call"
                " task.attach_images(model) with the InStep task first."
            )
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

    def compute_output_shape(self, input_shape: Any) -> Any:
        """(B·V, H, W, C), or a dict of such shapes."""
        if isinstance(self.view_shape, dict):
            return {name: (None, *each) for name, each in self.view_shape.items()}
        return (None, *self.view_shape)

    def compute_output_spec(self, inputs: Any) -> Any:
        """Of `call`, which Keras then need not trace with an unknown batch."""
        shapes = self.compute_output_shape(inputs)
        return (
            {name: _spec(shape) for name, shape in shapes.items()}
            if isinstance(shapes, dict)
            else _spec(shapes)
        )

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor; of resident images shape and checksum
        alone.

        Raises:
            UserError: for an augmentation or a task without `get_config`.
        """
        return {
            **super().get_config(),
            "steps": steps_config(self.steps),
            "widths": list(self.widths),
            "view_shape": (
                {name: list(each) for name, each in self.view_shape.items()}
                if isinstance(self.view_shape, dict)
                else list(self.view_shape)
            ),
            "images": None if self.images is None else dict(self.images),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "MakeViews":
        """The layer of a config."""
        steps = [keras.saving.deserialize_keras_object(step) for step in config["steps"]]
        return cls(**{**config, "steps": steps})

    def attach(self, images: Any) -> None:
        """Hold the resident images, which a file left out."""
        if self.resident is not None:
            self.resident.assign(images)
            self.images_missing = False

    def save_own_variables(self, store: Any) -> None:
        """Write nothing: the resident images are not learned."""

    def load_own_variables(self, store: Any) -> None:
        """Read nothing, as nothing was written."""


def _spec(shape: tuple[int | None, ...]) -> Any:
    return keras.KerasTensor(shape, dtype="uint8" if len(shape) == 4 else "int32")


def _given(images: Any) -> Any:
    return lambda shape, dtype=None: keras.ops.convert_to_tensor(images, dtype)  # noqa: ARG005


def steps_config(steps: Sequence[Any]) -> list[Any]:
    """Augmentations and task in the form that Keras writes into files.

    Raises:
        UserError: for one without `get_config`.
    """
    for step in steps:
        if not hasattr(step, "get_config"):
            raise UserError(
                f"A model with views of {type(step).__name__} cannot be saved: give the class"
                " get_config and from_config and register it with"
                " keras.saving.register_keras_serializable, or save task.network(model)."
            )
    return [keras.saving.serialize_keras_object(step) for step in steps]


def describe_images(images: Any) -> dict[str, Any] | None:
    """Shape and checksum (CRC-32) of resident images; None without."""
    if images is None:
        return None
    return {"shape": list(images.shape), "checksum": zlib.crc32(np.ascontiguousarray(images).data)}
