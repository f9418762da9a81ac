"""An encoder in a `.tflite` file, run without TensorFlow."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rotkeras.device.tflite_file import TFLiteFile
from rotkeras.embedding.keras_file import Forward
from rotkeras.errors import UserError


def load_tflite(path: Path) -> tuple[tuple[int | None, ...], Forward]:
    """Open a TFLite file and check that it is an encoder.

    Returns:
        (its input shape (B, S, S, 3); its forward pass, whose int8 embeddings are float32).

    Raises:
        UserError: for a file that is none of TFLite, was cut short, or holds no encoder.
    """
    file = TFLiteFile(path)
    signature = "embed" if "embed" in file.signatures else None
    if signature is None and file.signatures:
        raise UserError(
            f"{str(path)!r} must have the signature embed, which returns one vector per image, got"
            f" {', '.join(file.signatures)}; give an encoder, such as encoder-int8.tflite."
        )
    inputs, outputs = file.inputs(signature), file.outputs(signature)
    (name, taken), (output, answer) = next(iter(inputs.items())), next(iter(outputs.items()))
    image = len(taken.shape) == 4 and taken.shape[3] == 3 and taken.dtype == np.uint8
    if len(inputs) != 1 or len(outputs) != 1 or not image or len(answer.shape) != 2:
        raise UserError(
            f"{str(path)!r} must map uint8 images (B, S, S, 3) to one vector per image (B, d), got"
            f" {taken} and {answer}; export an encoder with rotkeras export."
        )

    def forward(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        given: dict[str, Any] = {name: images}
        return np.asarray(file.run(signature, **given)[output], np.float32)

    return taken.shape, forward
