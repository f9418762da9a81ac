"""The network that tells which way up images are: of an exported file, a SavedModel, or a run."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rotkeras.device.orienter import SIGNATURES, Network, Orienter, parse_angles
from rotkeras.errors import UserError, brief
from rotkeras.files import check_regular, expanded, read_json, without_pattern
from rotkeras.run.folder import Run

_EXPECTED = "give the path of an orient.tflite, a run folder or a SavedModel folder"


@dataclass(frozen=True)
class OrientationFile:
    """Where a network is.

    Attributes:
        path: an orient.tflite, a model.keras, or the folder of a SavedModel.
        angles: of its answers; None for a TFLite file, which has them inside.
    """

    path: Path
    angles: tuple[int, ...] | None = None

    @property
    def needs_tensorflow(self) -> bool:
        """Whether TensorFlow must be started to run it."""
        return self.angles is not None


def find_orientation_file(path: str | os.PathLike[str]) -> OrientationFile:
    """The file that a path means, found without starting TensorFlow.

    Args:
        path: an `orient.tflite`; a run folder, which means its `export/orient.tflite` or else its
            `model.keras`; a folder with an `orient.tflite`; a SavedModel folder, whose angles are
            read from the export or run that holds it.

    Raises:
        UserError: when nothing is there, or it is of another form.
    """
    given = expanded(path)
    check_regular(given)
    if not given.exists():
        raise UserError(f"The network {str(given)!r} does not exist: {_EXPECTED}.")
    if not given.is_dir():
        if given.suffix.lower() == ".keras":
            raise UserError(f"{str(given)!r} does not list its angles. Give its run folder.")
        return OrientationFile(given)
    for exported in (given / "orient.tflite", given / "export" / "orient.tflite"):
        if exported.exists():
            return OrientationFile(exported)
    if (given / "saved_model.pb").exists():
        return OrientationFile(given, _angles_of_saved_model(given))
    run = Run(given)
    if not run.recipe.exists():
        raise UserError(f"The folder {str(given)!r} holds no network: {_EXPECTED}.")
    run.check_ended()
    angles = run.task_facts().angles
    if not angles:
        raise UserError(
            f"The run {str(given)!r} does not predict angles. Give a run of a task whose classes"
            " are angles, such as rotation."
        )
    return OrientationFile(run.model, angles)


def load_orienter(file: OrientationFile, threads: int | None = None) -> Orienter:
    """Open a network.

    Args:
        file: of `find_orientation_file`.
        threads: of the CPU, for a TFLite file.

    Raises:
        UserError: for a file that cannot be loaded, a network of another form, and angles that are
            no quarter turns.
    """
    if file.angles is None:
        return Orienter(file.path, threads)
    load = _load_saved_model if file.path.is_dir() else _load_keras
    try:
        network, size = load(file.path)
    except UserError:
        raise
    except Exception as error:
        raise UserError(
            f"{str(file.path)!r} could not be loaded ({brief(error)}). Give a network that rotkeras"
            " trained or exported."
        ) from error
    return Orienter.of(network, size, file.angles, str(file.path))


def _angles_of_saved_model(folder: Path) -> tuple[int, ...]:
    packed = folder / "assets" / "angles.txt"
    if packed.exists():
        return parse_angles(packed.read_bytes(), folder)
    home = folder.resolve().parent
    if (proof := home / "verify.json").exists():  # which `rotkeras export` writes beside it
        content = read_json(proof)
        encoder = content.get("encoder") if isinstance(content, dict) else None
        angles = tuple((encoder.get("angles") if isinstance(encoder, dict) else None) or ())
        if not angles:
            raise UserError(f"The SavedModel {str(folder)!r} predicts no angles: {_EXPECTED}.")
        return angles
    for parent in (home, home.parent):  # RUN/saved_model, RUN/export/saved_model
        if (run := Run(parent)).recipe.exists():
            return run.task_facts().angles
    raise UserError(
        f"The SavedModel {str(folder)!r} does not list its angles. Write assets/angles.txt, with"
        " one angle in degrees per line, or use the folder that rotkeras export wrote."
    )


def _load_keras(path: Path) -> tuple[Network, int]:
    import keras

    model: Any = keras.models.load_model(path, compile=False)

    def network(views: NDArray[np.uint8]) -> NDArray[np.float32]:
        logits = np.asarray(model.predict_on_batch(views), np.float64)
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)

    return network, _side(tuple(model.input_shape), path)


def _load_saved_model(path: Path) -> tuple[Network, int]:
    import tensorflow as tf

    with without_pattern(path) as place:
        model = tf.saved_model.load(str(place))
    signature = next((name for name in SIGNATURES if name in model.signatures), None)
    if signature is None:
        raise UserError(
            f"{str(path)!r} must have the signature {SIGNATURES[0]}, got"
            f" {', '.join(model.signatures) or 'none'}; export a run that predicts angles."
        )
    function = model.signatures[signature]
    inputs, outputs = function.structured_input_signature[1], function.structured_outputs
    if "images" not in inputs or "probabilities" not in outputs:
        raise UserError(
            f"{str(path)!r} must take images and return probabilities, got {', '.join(inputs)};"
            " export it again."
        )
    shape = tuple(inputs["images"].shape)

    def network(views: NDArray[np.uint8]) -> NDArray[np.float32]:
        batches = [views] if shape[0] is None else [view[None] for view in views]
        return np.concatenate(
            [
                np.asarray(function(images=tf.constant(batch))["probabilities"], np.float32)
                for batch in batches
            ]
        )

    network.model = model  # type: ignore[attr-defined]  # its variables live no longer than it does
    return network, _side(shape, path)


def _side(shape: tuple[int | None, ...], path: Path) -> int:
    if len(shape) != 4 or shape[1] is None or shape[1] != shape[2] or shape[3] != 3:
        raise UserError(f"{str(path)!r} must take square images (B, S, S, 3), got {shape}.")
    return shape[1]
