"""The same network, with the same weights, for images of another size."""

from typing import Any

import keras

from rotkeras.arguments.accepted import Positive, Text
from rotkeras.arguments.checked import checked
from rotkeras.backbones.taps import flat
from rotkeras.errors import UserError, brief, must


@checked
def with_input_shape(
    model: keras.Model,
    input_shape: tuple[Positive, Positive, Positive],
    name: Text | None = None,
) -> keras.Model:
    """A network for images of another size that shares every layer, and so every weight, with the
    model: what one of them learns, the other has learned.

    For tasks that train on tiles or small crops what is later read on whole images.

    Args:
        model: a functional model of one image input, such as a backbone.
        input_shape: (H, W, C) of the other images.
        name: of the input, for a model that takes images of several sizes; None for the same name.

    Returns:
        A functional model of the same layers, (B, H, W, C) -> the model's outputs at that size. Use
        `rotkeras.taps` for its taps: `layer.output` is a tensor of the model that was built first.

    Example:
        backbone = rotkeras.backbones.nin(input_shape=(32, 32, 3))
        of_tiles = with_input_shape(backbone, (16, 16, 3))

    Raises:
        UserError: for a model with several inputs, or one whose layers need the size they have,
            such as a dense layer behind a flattened map.
    """
    inner = flat(model)
    if len(inner.inputs) != 1:
        raise must("model", "have one input", f"{len(inner.inputs)} inputs")
    given: Any = inner.inputs[0]
    images = keras.Input(input_shape, dtype=given.dtype, name=name or given.name)
    try:
        other: Any = keras.models.clone_model(
            keras.Model(inner.inputs, inner.outputs),
            input_tensors=[images],
            clone_function=lambda layer: layer,
        )
    except Exception as error:
        raise UserError(
            f"The network {inner.name!r} cannot take images of {tuple(input_shape)}"
            f" ({brief(error)}). Use a size near {tuple(given.shape[1:])}, or a network that ends"
            " in a feature map."
        ) from error
    outputs = list(other.outputs)
    return keras.Model(images, outputs[0] if len(outputs) == 1 else outputs, name=inner.name)
