"""A SavedModel with three signatures, which TensorFlow loads alone."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras

from rotkeras.arguments.accepted import AnyPath
from rotkeras.arguments.checked import checked
from rotkeras.errors import UserError
from rotkeras.export.parts import Parts, as_parts
from rotkeras.files import as_text, check_writable, full_disk, is_full
from rotkeras.images import sides_of

SIGNATURES = ("embed", "taps", "predict")


@checked
def to_saved_model(network: keras.Model | Parts, path: AnyPath) -> Path:
    """Write a SavedModel of an encoder.

    Args:
        network: a backbone or classifier with taps, an encoder, or its `parts_of`.
        path: the folder to write; it must not be there yet.

    Returns:
        The folder. It loads with `tf.saved_model.load(path).signatures`, for any batch size:

        `embed`: images uint8 (B, S, S, 3) -> embedding float32 (B, d);
        `taps`: the same images -> float32 (B, h, w, C) for each tap by name;
        `predict` (if the network predicts classes): the same images -> probabilities float32 (B,
        K).

    Raises:
        UserError: when something is at the path already.
    """
    parts, path = as_parts(network), check_writable(path, "path", folder=True)
    if path.exists():
        raise UserError(
            f"path {as_text(str(path))!r} exists already. Delete it, or give another path."
        )
    endpoints: dict[str, tuple[Any, Callable[[Any], Any]]] = {
        "embed": (parts.embed, lambda x: {"embedding": parts.embed(x, training=False)}),
        "taps": (parts.taps, lambda x: parts.taps(x, training=False)),
    }
    if parts.prediction is not None:
        predict = parts.prediction.model
        endpoints["predict"] = (predict, lambda x: {"probabilities": predict(x, training=False)})
    try:
        write_archive(path, endpoints, [None, *sides_of(parts.input_size), 3])
    except Exception as error:
        if is_full(error):
            raise UserError(full_disk(path)) from error
        raise
    return path


def write_archive(
    path: Path,
    endpoints: dict[str, tuple[Any, Callable[[Any], Any]]],
    shape: Sequence[int | None],
    dtype: str = "uint8",
) -> None:
    """Write functions of `images`, of a shape and dtype, as the signatures of a SavedModel: {name:
    (model, function)}."""
    import tensorflow as tf

    archive = keras.export.ExportArchive()
    for model, _ in endpoints.values():
        archive.track(model)
    for name, (_, function) in endpoints.items():
        # The wrapper names the argument, which becomes the name of the signature's input.
        archive.add_endpoint(
            name, _of_images(function), [tf.TensorSpec(shape, dtype, name="images")]
        )
    try:
        archive.write_out(str(path), verbose=False)
    except BaseException:
        shutil.rmtree(path, ignore_errors=True)
        raise


def _of_images(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def call(images: Any) -> Any:
        return function(images)

    return call
