"""An encoder from a file, whatever the file's form: uint8 images in, one vector per image out."""

import os
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rotkeras.arguments.accepted import AnyPath, Positive
from rotkeras.arguments.checked import checked
from rotkeras.embedding.keras_file import Forward, load_keras
from rotkeras.errors import UserError, brief, must
from rotkeras.files import check_regular, expanded
from rotkeras.images import Size, as_size, shown, sides_of
from rotkeras.text import command_line

IMAGES_PER_BATCH = 64


@dataclass(frozen=True, eq=False)
class Encoder:
    """A trained encoder, ready to run.

    Attributes:
        path: the file it came from.
        input_size: pixels of each side of the images it takes, or (H, W).
        dimensions: the length d of the vector it gives for an image.
        images_per_batch: images in one forward pass.
        forward: one pass over exactly that many: uint8 (images_per_batch, S, S, 3) -> float32
            (images_per_batch, d).
    """

    path: Path
    input_size: Size
    dimensions: int
    images_per_batch: int
    forward: Forward

    def embed(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The features of any number of images.

        Args:
            images: uint8 (n, H, W, 3), values 0 … 255, of the `input_size`.

        Returns:
            float32 (n, d), in the order of the images.

        Raises:
            UserError: for another dtype or shape.
        """
        expected = (*sides_of(self.input_size), 3)
        if getattr(images, "dtype", None) != np.uint8 or images.shape[1:] != expected:
            height, width = sides_of(self.input_size)
            raise must(
                "images",
                f"be a uint8 array (N, {height}, {width}, 3)",
                images,
                f"resize and convert them for the encoder {self.path}",
            )
        features = np.empty((len(images), self.dimensions), np.float32)
        for start in range(0, len(images), self.images_per_batch):
            batch = images[start : start + self.images_per_batch]
            # Whole batches only: a last batch of another size would be traced, and on some backends
            # compiled, anew.
            padded = np.zeros((self.images_per_batch, *expected), np.uint8)
            padded[: len(batch)] = batch
            features[start : start + len(batch)] = self.forward(padded)[: len(batch)]
        return features


_FORMS = "a .keras or .tflite file, a SavedModel, or a run folder of rotkeras train"
_NO_ENCODERS = ("classifier.tflite", "orient.tflite")
"""Exported files that predict classes and give no embedding."""


def find_encoder(path: str | os.PathLike[str]) -> Path:
    """The encoder that a path means, found without starting Keras.

    Args:
        path: a `.keras` or `.tflite` file, the folder of a SavedModel, or a run folder, which means
            its `encoder.keras`; `~` is the home folder.

    Raises:
        UserError: when nothing is there, or it is of another form.
    """
    given = expanded(path)
    check_regular(given)
    if (given / "saved_model.pb").is_file():
        return given
    found = given / "encoder.keras" if given.is_dir() else given
    if given.is_dir() and not found.exists():
        if (given / "verify.json").exists():
            files = ", ".join(
                sorted(
                    each.name
                    for each in given.iterdir()
                    if (each.suffix == ".tflite" and each.name not in _NO_ENCODERS)
                    or each.name == "saved_model"
                )
            )
            raise UserError(
                f"{str(given)!r} is an export of several encoders. Give the path of one of its"
                f" files: {files}."
            )
        if (given / "recipe.yaml").exists():
            again = command_line(
                "rotkeras", "train", given / "recipe.yaml", "--run-dir", given, "--resume"
            )
            raise UserError(
                f"The run folder {str(given)!r} has no encoder.keras: it is written after the first"
                f" epoch; let the run go on with: {again}"
            )
        raise UserError(f"The folder {str(given)!r} holds no encoder.keras. Give {_FORMS}.")
    if not found.exists():
        raise UserError(f"The encoder {str(given)!r} does not exist. Give {_FORMS}.")
    form = found.suffix.lower()
    if form not in (".keras", ".tflite"):
        raise UserError(
            f"The encoder {str(given)!r} ends in {found.suffix or 'nothing'} and must be {_FORMS};"
            " save the model with model.save('encoder.keras')."
        )
    if form == ".keras" and not zipfile.is_zipfile(found):
        raise UserError(f"{str(found)!r} is not an intact .keras file; save or copy it again.")
    return found


@checked
def load_encoder(
    path: AnyPath,
    image_size: Positive | None = None,
    images_per_batch: Positive = IMAGES_PER_BATCH,
) -> Encoder:
    """Load an encoder and try it out.

    Args:
        path: a `.keras` or `.tflite` file, the folder of a SavedModel, or a run folder, which means
            its `encoder.keras`.
        image_size: pixels of each side of its images; needed when its input size is open, and else
            None.
        images_per_batch: images in one forward pass; an encoder with a fixed batch keeps its own.

    Returns:
        An `Encoder`.

    Raises:
        UserError: for a file that is missing or of another form, and for a model that is no
            encoder: a feature map, a classifier, other inputs than uint8 RGB, several
                inputs or outputs.
    """
    found = find_encoder(path)
    if images_per_batch < 1 or (image_size is not None and image_size < 1):
        raise UserError(
            f"Expected a positive image size and batch, received {image_size} and"
            f" {images_per_batch}; give others."
        )
    shape, forward = _load(found)
    sides = {each for each in shape[1:3] if each is not None}
    if not sides and image_size is None:
        raise UserError(
            f"The encoder {str(found)!r} takes images of any size: say with --image-size to which"
            " size they are to be brought, best the one it was trained with."
        )
    if sides:
        height, width = (each or max(sides) for each in shape[1:3])
        size = as_size(height, width)
    else:
        assert image_size is not None  # said above
        size = image_size
    if image_size not in (None, size):
        raise UserError(
            f"The encoder {str(found)!r} takes images of {shown(size)}, received --image-size"
            f" {image_size}; leave it out."
        )
    batch: int = shape[0] or images_per_batch
    try:
        features = forward(np.zeros((batch, *sides_of(size), 3), np.uint8))
    except Exception as error:
        raise UserError(
            f"The encoder {str(found)!r} could not be run on {batch} images of {shown(size)}"
            f" ({brief(error)}): give another --image-size or a smaller --images-per-batch."
        ) from error
    return Encoder(found, size, features.shape[1], batch, forward)


def _load(found: Path) -> tuple[tuple[int | None, ...], Forward]:
    if found.is_dir():
        from rotkeras.embedding.saved_model import load_saved_model

        return load_saved_model(found)
    if found.suffix.lower() == ".tflite":
        from rotkeras.embedding.tflite_file import load_tflite

        return load_tflite(found)
    return load_keras(found)
