"""From a Keras model to a TFLite file of builtin operators, with metadata, in one of the
profiles."""

import re
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from rotkeras.arguments.accepted import AnyPath, Classes, ImageBatch, ProfileName
from rotkeras.arguments.checked import checked
from rotkeras.data.source import Images
from rotkeras.device.notes import without_notes
from rotkeras.errors import UserError, brief
from rotkeras.export.descriptions import describe
from rotkeras.export.metadata import Description, add_metadata
from rotkeras.export.operators import foreign_operators
from rotkeras.export.parts import Parts, as_parts, of_float_pixels
from rotkeras.export.profiles import PROFILES, Profile, are_quarter_turns
from rotkeras.export.profiles import profile as profile_of
from rotkeras.files import check_writable, temporary_folder, write_whole
from rotkeras.images import sides_of

_DRAWN, _CORRECTED_ON = 200, 200

_PER_OPERATOR = ("dynamic", "mixed", "int16x8")
"""Made from the float32 file by `per_operator.quantize`; the others by TensorFlow's converter."""

FEWEST_IMAGES = 100
"""Images that finding the ranges of activations takes at least."""

CLASSES = 10
"""Classes that the head of the learner profile can tell apart, unless said otherwise."""


@checked
def to_tflite(
    network: keras.Model | Parts,
    path: AnyPath,
    profile: ProfileName = "float32",
    *,
    calibration: ImageBatch | Images | None = None,
    classes: Classes = CLASSES,
    description: Description | None = None,
    work_folder: Path | None = None,
) -> Path:
    """Write one TFLite file: uint8 RGB in, batch 1, normalisation inside, builtin operators only.

    Args:
        network: an encoder such as `rotkeras.backbones.taps.cut` makes, a backbone or classifier
            with taps, or its `parts_of`.
        path: the file to write; it is written whole or not at all.
        profile: a name of `PROFILES`.
        calibration: at least 100 training images, uint8 (n, S, S, 3), for the profiles that compute
            with int8; of a part of a source, 200 are drawn.
        classes: of the profile learner, the most classes that its head can tell apart.
        description: metadata; None writes what is known of the parts.
        work_folder: a folder for what several files of one network have in common, so that it is
            made once.

    Returns:
        The path. The file's signatures:

        `embed` (encoders, learner): images uint8 (1, S, S, 3) -> embedding (1, d), int8 with scale
        and zero point for profile int8, else float32;
        `classify`, `learn`, `get_head`, `set_head` (learner): see
        `rotkeras.export.learner.SoftmaxHead`; `predict` (classifier, orient): images ->
        probabilities float32 (1, K).

    Example:
        source = rotkeras.data.load("cifar10")
        encoder = rotkeras.backbones.taps.cut(backbone, "conv2")
        rotkeras.export.to_tflite(encoder, "encoder.tflite", "int8", calibration=source.train)

    Raises:
        UserError: for an unknown profile, too few or other calibration images, a network without
            the requested head, and operators that TFLite has no builtin for, by name.

    Reference:
        Jacob et al., Quantization and Training of Neural Networks for Efficient
        Integer-Arithmetic-Only Inference, CVPR 2018, for int8.
    """
    kind, parts = profile_of(profile), as_parts(network)
    if kind.runtime != "tflite":
        raise UserError(f"The profile {kind.name} is no TFLite file; use rotkeras.export.to_onnx.")
    path = check_writable(path, "path")
    if isinstance(calibration, Images):
        calibration = calibration.draw(_DRAWN).take(slice(None))
    images = _calibration(kind, parts, calibration)
    check_length(kind, parts.l2_normalization)
    if problem := lacks_prediction(kind, parts):
        raise UserError(problem)
    if work_folder is None:
        with temporary_folder() as folder:
            model = _convert(parts, kind, images, classes, folder)
    else:
        model = _convert(parts, kind, images, classes, work_folder)
    if kind.numbers in _PER_OPERATOR:
        model = _quantized(kind, model, images)
    if (
        kind.role != "predictor"
        and kind.calibrated
        and parts.pooling == "average"
        and not parts.l2_normalization
    ):
        model = _corrected(parts, model, images)
    if foreign := foreign_operators(model):
        raise UserError(_foreign(kind, foreign))
    content = add_metadata(model, description or describe(parts, kind))
    write_whole(path, lambda working: working.write_bytes(content))
    return path


def lacks_prediction(kind: Profile, parts: Parts) -> str:
    """Why a network has no prediction for a profile of one, in a sentence; "" if it has."""
    if kind.role != "predictor":
        return ""
    if parts.prediction is None:
        return (
            f"The profile {kind.name} needs the network's own prediction, and {parts.embed.name!r}"
            " has none: give the network of a task that predicts classes, such as the model.keras"
            " of a run of rotation, with its task, or leave the profile out."
        )
    if kind.name == "orient" and not are_quarter_turns(parts.prediction.angles):
        names = ", ".join(parts.prediction.class_names)
        return (
            f"The profile orient needs classes that are quarter turns, and the network predicts"
            f" {names}: use the profile classifier."
        )
    return ""


def _calibrating(kind: Profile, parts: Parts, images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Images that set the ranges: as they are, and for a prediction one view of each as its task
    makes them."""
    if kind.role != "predictor" or parts.prediction is None or not len(images):
        return images
    examples = parts.prediction.examples(images)
    if examples is None:
        return images
    count = len(examples[0]) // len(images)
    rows = np.arange(len(images))
    chosen: NDArray[np.uint8] = examples[0][rows * count + rows % count]
    return chosen


def check_length(kind: Profile, l2_normalization: bool) -> None:
    """Raise a `UserError` for vectors of unit length in int8: TFLite's root is rounded, and lengths
    come out 10 to 20 % wrong."""
    if l2_normalization and kind.numbers == "int8" and kind.role != "predictor":
        raise UserError(
            f"The profile {kind.name} does not support l2_normalization, because int8 rounds the"
            " square root and lengths are 10 to 20 % off. Use float32, float16, dynamic, mixed or"
            " int16x8, or leave it out: cosine similarity needs no unit length."
        )


def _calibration(
    kind: Profile, parts: Parts, images: NDArray[np.uint8] | None
) -> NDArray[np.uint8]:
    height, width = sides_of(parts.input_size)
    if not kind.calibrated:
        return np.zeros((0, height, width, 3), np.uint8)
    if images is None or len(images) < FEWEST_IMAGES:
        received = "none" if images is None else f"{len(images)}"
        raise UserError(
            f"The profile {kind.name} is calibrated on training images and needs at least"
            f" {FEWEST_IMAGES}, best 200 to 500, got {received}; add images, or use a profile"
            " without calibration:"
            f" {', '.join((name for name, each in PROFILES.items() if not each.calibrated))}."
        )
    if images.dtype != np.uint8 or images.shape[1:] != (height, width, 3):
        raise UserError(
            f"Calibration images must be uint8 (n, {height}, {width}, 3), as the file takes them,"
            f" got {images.dtype} of shape {images.shape}; convert or resize them."
        )
    return images


def _convert(
    parts: Parts, kind: Profile, images: NDArray[np.uint8], classes: int, work_folder: Path
) -> bytes:
    import tensorflow as tf

    # What is quantised operator by operator begins as the float32 file.
    whole = work_folder / f"{kind.role}.tflite"
    exact = kind.numbers == "float32" or kind.numbers in _PER_OPERATOR
    if exact and whole.exists():
        return whole.read_bytes()
    written = work_folder / f"{kind.role}-{'float' if _pixels_are_float(kind) else 'uint8'}"
    if not written.exists():
        _write(parts, kind, images, classes, written)
    names = _SIGNATURES[kind.role]
    given = _calibrating(kind, parts, images)
    converter = tf.lite.TFLiteConverter.from_saved_model(str(written), signature_keys=list(names))
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    if kind.numbers in ("float16", "int8"):
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if kind.numbers == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if kind.numbers == "int8":
        converter.representative_dataset = lambda: _ranges(kind, names[0], given)
    if _pixels_are_float(kind):
        converter.inference_input_type = tf.uint8
    if kind.output == "int8":
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_output_type = tf.int8
    converter.experimental_enable_resource_variables = kind.role == "learner"
    try:
        with without_notes(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model: bytes = converter.convert()
    except Exception as error:
        missing = sorted(
            set(re.findall(r"'tf\.(\w+)' op is neither a custom op nor a flex op", str(error)))
        )
        said = _foreign(kind, missing) if missing else _unmade(kind, error)
        raise UserError(said) from error
    if exact:
        whole.write_bytes(model)
    return model


def _unmade(kind: Profile, error: Exception) -> str:
    return (
        f"TensorFlow could not make the profile {kind.name} ({brief(error)}). Use a network of"
        " stock layers in float32, another profile, or an earlier tap."
    )


def _quantized(kind: Profile, model: bytes, images: NDArray[np.uint8]) -> bytes:
    from rotkeras.export.per_operator import quantize

    try:
        return quantize(model, kind.numbers, images, kind.answer[0])
    except Exception as error:
        raise UserError(
            f"litert-quantizer could not make the profile {kind.name} ({brief(error)}). Use another"
            " profile, or an earlier tap."
        ) from error


def _foreign(kind: Profile, names: list[str]) -> str:
    return (
        f"The profile {kind.name} cannot be made of TFLite's built-in operators alone, which have"
        f" none for {', '.join(names)}. Cut the network at an earlier tap, or replace that layer."
    )


_SIGNATURES = {
    "encoder": ("embed",),
    "predictor": ("predict",),
    "learner": ("embed", "classify", "learn", "get_head", "set_head"),
}
"""The signatures of each role, that of images first."""


def _write(
    parts: Parts, kind: Profile, images: NDArray[np.uint8], classes: int, folder: Path
) -> None:
    """Write a SavedModel of what the profile holds."""
    import tensorflow as tf

    from rotkeras.export import learner
    from rotkeras.export.saved_model import write_archive

    shape = (1, *sides_of(parts.input_size), 3)
    if kind.role != "learner":
        signature, answer = kind.answer
        model = parts.embed
        if kind.role == "predictor" and parts.prediction is not None:
            model = parts.prediction.model
        given: Any = of_float_pixels(model) if _pixels_are_float(kind) else model
        dtype = "float32" if _pixels_are_float(kind) else "uint8"
        write_archive(
            folder, {signature: (given, lambda x: {answer: given(x, training=False)})}, shape, dtype
        )
        return
    head = learner.SoftmaxHead(*learner.statistics(parts.embed.predict(images, verbose=0)), classes)
    archive = keras.export.ExportArchive()
    archive.track(parts.embed)
    archive.track(head)
    archive.add_endpoint("embed", _embed(parts), [tf.TensorSpec(shape, tf.uint8, name="images")])
    for name, (function, specification) in learner.signatures(head).items():
        archive.add_endpoint(name, function, specification)
    archive.write_out(str(folder), verbose=False)


def _embed(parts: Parts) -> Callable[[Any], Any]:
    def embed(images: Any) -> Any:
        return {"embedding": parts.embed(images, training=False)}

    return embed


def _corrected(parts: Parts, model: bytes, images: NDArray[np.uint8]) -> bytes:
    from rotkeras.export.bias_correction import correct_bias

    some = images[:_CORRECTED_ON]
    maps = parts.taps.predict(some, verbose=0)
    there = maps.get(parts.tap) if isinstance(maps, dict) else None
    if there is None or there.ndim != 4:
        return model
    return correct_bias(
        model, some, parts.embed.predict(some, verbose=0), (there > 0).mean(axis=(0, 1, 2))
    )[0]


def _pixels_are_float(kind: Profile) -> bool:
    """Whether the converter makes the uint8 input itself, so that no number on the way is a float;
    it does so for one signature."""
    return kind.numbers == "int8" and kind.role != "learner"


def _ranges(kind: Profile, signature: str, images: NDArray[np.uint8]) -> Iterator[Any]:
    """Images for the ranges of activations, one at a time."""
    for number in range(len(images)):
        image = images[number]
        if _pixels_are_float(kind):
            image = image.astype(np.float32)
            if number == 0:  # the range of the input is 0 … 255 then, and pixels go in as they are
                image[0, 0], image[0, 1] = 0.0, 255.0
        given = {"images": image[None]}
        # Of several signatures only the encoder's: a head that has learned nothing yet has no
        # ranges, and stays in float32.
        yield (signature, given) if kind.role == "learner" else given
