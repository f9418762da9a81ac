"""An exported encoder on a device: images in, one vector per image out."""

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rotkeras.device.given_images import Images, each_image
from rotkeras.device.orienter import SIGNATURES
from rotkeras.device.tflite_file import TFLiteFile
from rotkeras.errors import UserError
from rotkeras.images import Size, as_size


class Encoder:
    """An exported encoder, ready to run; see `rotkeras export`.

    Args:
        path: a `.tflite` file with the signature `embed`, of any profile; a learner's file has it
            too.
        threads: of the CPU, 1 when None.

    Attributes:
        file: the opened `TFLiteFile`.
        input_size: pixels of each side of the images it takes, or (H, W).
        dimensions: d, the length of the vector it gives for an image.

    Raises:
        UserError: for a file that is no whole TFLite file, or no encoder.
    """

    def __init__(self, path: str | os.PathLike[str], threads: int | None = None):
        self.file = TFLiteFile(path, threads)
        if "embed" not in self.file.signatures:
            raise UserError(
                f"{str(path)!r} is not an encoder: it must have the signature 'embed', got"
                f" {_what_it_is(self.file)}; give the file of an encoder or learner."
            )
        inputs, outputs = self.file.inputs("embed"), self.file.outputs("embed")
        image, embedding = inputs.get("images"), outputs.get("embedding")
        if image is None or embedding is None or len(inputs) > 1:
            raise UserError(
                f"{str(path)!r} is not an encoder of rotkeras: 'embed' must map 'images' to"
                f" 'embedding', got {[*inputs]} and {[*outputs]}; export it again."
            )
        batch, *sides = image.shape
        if (
            image.dtype != np.uint8
            or batch not in (1, None)
            or sides[2:] != [3]
            or None in sides
            or len(embedding.shape) != 2
        ):
            raise UserError(
                f"{str(path)!r} is not an encoder of rotkeras: it must map uint8 (1, H, W, 3) to"
                f" (1, d), got {image} and {embedding}; export it again."
            )
        self.input_size: Size = as_size(sides[0], sides[1])  # type: ignore[arg-type]
        self.dimensions: int = embedding.shape[1]  # type: ignore[assignment]

    @property
    def path(self) -> Path:
        """The file."""
        return self.file.path

    def embed(self, images: Images) -> NDArray[np.float32]:
        """The vectors of any number of images, in their order; those of an int8 file are
        dequantized.

        Args:
            images: uint8 (n, H, W, 3) of the `input_size`; one image (H, W, 3); the path of an
                image file; or several paths. Files are turned upright by their EXIF orientation,
                their centre is cut and resized, as in training.

        Returns:
            float32 (n, d).

        Raises:
            UserError: for images of another dtype or shape, and for files that are no images.
        """
        count, pixels = each_image(images, self.input_size, self.path)
        embeddings = np.empty((count, self.dimensions), np.float32)
        for row, image in zip(embeddings, pixels, strict=True):
            row[:] = self.file.run("embed", images=image[None])["embedding"][0]
        return embeddings


def _what_it_is(file: TFLiteFile) -> str:
    if predicts := [name for name in SIGNATURES if name in file.signatures]:
        return (
            f"one that predicts classes ({predicts[0]!r}); for angles use rotkeras.device.Orienter"
        )
    return "one with " + (", ".join(map(repr, file.signatures)) or "no signatures")
