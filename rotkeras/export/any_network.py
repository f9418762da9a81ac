"""Any flat network of images as a TFLite file of builtin operators."""

import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from rotkeras.device.notes import without_notes
from rotkeras.errors import UserError, brief
from rotkeras.export.operators import foreign_operators
from rotkeras.export.per_operator import quantize
from rotkeras.export.profiles import Numbers
from rotkeras.export.saved_model import write_archive

_PER_OPERATOR = ("dynamic", "mixed", "int16x8")


def convert_network(
    network: keras.Model,
    signature: str,
    output: str,
    numbers: Numbers,
    images: NDArray[np.uint8],
    work: Path,
) -> bytes:
    """A TFLite file: uint8 images of one, float32 outputs, builtin operators alone.

    Args:
        network: flat, uint8 (B, H, W, 3) -> one tensor, or a dictionary of them.
        signature: of the file.
        output: the name of the one output; of a dictionary the keys are the names.
        numbers: what the file computes with, as `rotkeras.export.profiles` describes it.
        images: uint8 (n, H, W, 3), which set the ranges of activations.
        work: a folder for what files of one network have in common.

    Raises:
        UserError: for what TFLite has no builtin operator for, and where a quantizer fails.
    """
    whole = work / "float32.tflite"
    if numbers == "float32" or numbers in _PER_OPERATOR:
        if not whole.exists():
            whole.write_bytes(_converted(network, signature, output, "float32", images, work))
        model = whole.read_bytes()
        if numbers == "float32":
            return model
        try:
            return quantize(model, numbers, images, signature)
        except Exception as error:
            raise UserError(
                f"litert-quantizer could not make the profile {numbers} ({brief(error)}). Use"
                " another profile."
            ) from error
    return _converted(network, signature, output, numbers, images, work)


def _converted(
    network: keras.Model,
    signature: str,
    output: str,
    numbers: Numbers,
    images: NDArray[np.uint8],
    work: Path,
) -> bytes:
    import tensorflow as tf

    whole_int8 = numbers == "int8"
    written = work / ("float" if whole_int8 else "uint8")
    if not written.exists():
        # Of float pixels, so that quantised to int8 it takes uint8 images as they are.
        model = _of_float_pixels(network) if whole_int8 else network
        dtype = "float32" if whole_int8 else "uint8"

        def call(x: Any) -> Any:
            made = model(x, training=False)
            return made if isinstance(made, dict) else {output: made}

        shape = (1, *network.input_shape[1:])
        write_archive(written, {signature: (model, call)}, shape, dtype)
    converter = tf.lite.TFLiteConverter.from_saved_model(str(written), signature_keys=[signature])
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    if numbers in ("float16", "int8"):
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if numbers == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if whole_int8:
        converter.representative_dataset = lambda: _ranges(images)
        converter.inference_input_type = tf.uint8
    try:
        with without_notes(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made: bytes = converter.convert()
    except Exception as error:
        missing = sorted(
            set(re.findall(r"'tf\.(\w+)' op is neither a custom op nor a flex op", str(error)))
        )
        why = f"no builtin operator for {', '.join(missing)}" if missing else brief(error)
        raise UserError(
            f"TensorFlow could not make the profile {numbers} ({why}). Use a network of stock"
            " layers, or another profile."
        ) from error
    if foreign := foreign_operators(made):
        raise UserError(
            f"The profile {numbers} needs {', '.join(foreign)}, which are no builtin operators of"
            " TFLite. Use other layers."
        )
    return made


def _of_float_pixels(network: keras.Model) -> keras.Model:
    """The same network, with the same weights, of float32 pixels 0 … 255."""
    pixels = keras.Input(network.input_shape[1:], dtype="float32", name="images")
    plain = keras.Model(network.inputs, network.outputs)
    twin: Any = keras.models.clone_model(plain, input_tensors=[pixels])
    twin.set_weights(plain.get_weights())
    named = isinstance(network.output, dict)  # whose order is not that of `outputs`
    outputs = (
        keras.tree.pack_sequence_as(network.output, twin.outputs) if named else twin.outputs[0]
    )
    return keras.Model(pixels, outputs)


def _ranges(images: NDArray[np.uint8]) -> Iterator[dict[str, NDArray[np.float32]]]:
    for number, each in enumerate(images):
        image = each.astype(np.float32)
        if number == 0:  # the range of the input is 0 … 255 then, and pixels go in as they are
            image[0, 0], image[0, 1] = 0.0, 255.0
        yield {"images": image[None]}
