"""An encoder in a `.keras` file."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rotkeras.errors import UserError, brief
from rotkeras.pretext import of_network

Forward = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""One forward pass: uint8 (B, S, S, 3) -> float32 (B, d)."""

_EXPECTED = "an encoder takes uint8 images (B, H, W, 3) and returns one vector per image (B, d)"


def load_keras(path: Path) -> tuple[tuple[int | None, ...], Forward]:
    """Load a `.keras` file and check that it is an encoder.

    Returns:
        (its input shape (B, H, W, 3), None where it is open; its forward pass).

    Raises:
        UserError: for a file that Keras cannot load, and for a model of another form.
    """
    import keras

    try:
        model = keras.models.load_model(path, compile=False)
    except Exception as error:
        raise UserError(
            f"Keras could not load {str(path)!r} ({brief(error)}). It must be a model of stock"
            " layers: replace layers of your own and save it again."
        ) from error
    inputs, outputs = _ends(model)
    if len(inputs) != 1 or len(outputs) != 1:
        raise UserError(
            f"{str(path)!r} has {len(inputs)} inputs and {len(outputs)} outputs: {_EXPECTED}; cut"
            " it with rotkeras.backbones.taps.cut(model, tap)."
        )
    given, output = inputs[0], outputs[0]
    shape = tuple(given.shape)
    if len(shape) != 4 or shape[3] != 3 or str(given.dtype) != "uint8":
        raise UserError(
            f"{str(path)!r} takes {given.dtype} {_shape(shape)}: {_EXPECTED}; put keras.Input((H,"
            " W, 3), dtype='uint8') and the normalisation it was trained with in front."
        )
    if len(output.shape) == 4:
        raise UserError(
            f"{str(path)!r} gives a feature map {_shape(output.shape)}: {_EXPECTED}; train with"
            " encoder.pooling: average, or put keras.layers.GlobalAveragePooling2D() at its end."
        )
    if len(output.shape) != 2:
        raise UserError(
            f"{str(path)!r} gives {_shape(output.shape)}: {_EXPECTED}; flatten or pool its output."
        )
    # A network of another task cannot be told from an encoder by its layers, but by its folder.
    of_run = path.name == "model.keras" and (path.parent / "task.json").exists()
    if of_run or of_network(model) is not None:
        raise UserError(
            f"{str(path)!r} predicts the classes of its pretext task: {_EXPECTED}; give the run"
            " folder or the encoder.keras in it."
        )

    def forward(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        # Not `predict`, which makes a tf.data pipeline anew for every call.
        return np.asarray(model.predict_on_batch(images), np.float32)

    return shape, forward


def _ends(model: Any) -> tuple[list[Any], list[Any]]:
    try:
        return list(model.inputs), list(model.outputs)
    except (
        AttributeError,
        ValueError,
        TypeError,
    ):  # a Sequential that was saved without an input shape
        return [], []


def _shape(shape: Any) -> str:
    return "(" + ", ".join(["B", *("?" if each is None else str(each) for each in shape[1:])]) + ")"
