"""An encoder in a SavedModel."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rotkeras.embedding.keras_file import Forward
from rotkeras.errors import UserError, brief
from rotkeras.files import without_pattern


def load_saved_model(path: Path) -> tuple[tuple[int | None, ...], Forward]:
    """Load a SavedModel and check that its signature `embed`, or the one it serves by default, is
    an encoder.

    Returns:
        (its input shape (B, H, W, 3), None where it is open; its forward pass).

    Raises:
        UserError: for a folder that TensorFlow cannot load, and for one without an encoder.
    """
    import tensorflow as tf

    try:
        with without_pattern(path) as place:
            loaded = tf.saved_model.load(str(place))
        signatures = dict(loaded.signatures)
    except Exception as error:
        raise UserError(
            f"TensorFlow could not load {str(path)!r} ({brief(error)}); copy or export the"
            " SavedModel again."
        ) from error
    signature = signatures.get("embed") or signatures.get("serving_default")
    inputs = {} if signature is None else signature.structured_input_signature[1]
    outputs = {} if signature is None else signature.structured_outputs
    given, answer = (
        next(iter(inputs.values()), tf.TensorSpec(())),
        next(iter(outputs.values()), tf.TensorSpec(())),
    )
    shape = tuple(given.shape) if given.shape.rank else ()
    if (
        len(inputs) != 1
        or len(outputs) != 1
        or len(shape) != 4
        or shape[3] != 3
        or given.dtype != tf.uint8
    ):
        raise UserError(
            f"{str(path)!r} must have the signature embed, which takes uint8 images (B, H, W, 3)"
            f" and returns one vector per image, got {', '.join(signatures) or 'none'}; export an"
            " encoder with rotkeras export."
        )
    if answer.shape.rank != 2:
        raise UserError(
            f"{str(path)!r} must return one vector per image (B, d), got {answer.shape}; export an"
            " encoder."
        )
    name, output = next(iter(inputs)), next(iter(outputs))
    run: Any = signature

    def forward(
        images: NDArray[np.uint8], _kept: object = loaded
    ) -> NDArray[np.float32]:  # its variables die with it
        return np.asarray(run(**{name: tf.constant(images)})[output], np.float32)

    return shape, forward
