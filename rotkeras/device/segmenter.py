"""A fine-tuned segmenter on a device."""

import os

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from rotkeras.device.photographs import Photographs, stretched
from rotkeras.device.task_file import SIGNATURES, file_at, read_task, size_of


class Segmenter:
    """Gives each pixel of a photograph its class.

    Not for several threads at once.

    Args:
        path: a file that `rotkeras finetune segment` exported.
        threads: of the CPU, 1 when None.

    Attributes:
        class_names: one for each class.
        input_size: pixels of each side of the images, or (H, W).

    Raises:
        UserError: for a file of another kind.

    Example:
        segmenter = Segmenter("runs/streets/export/segmenter-dynamic.tflite")
        (mask,) = segmenter.segment(["IMG_0001.jpg"])
        print(segmenter.class_names[mask[100, 200]])
    """

    def __init__(self, path: str | os.PathLike[str], threads: int | None = None):
        self._file = file_at(path, threads)
        self.class_names: tuple[str, ...] = tuple(read_task(self._file, "segment")["classes"])
        self.input_size = size_of(self._file, SIGNATURES["segment"])

    def segment(self, photographs: Photographs) -> list[NDArray[np.uint8]]:
        """Segment photographs.

        Args:
            photographs: uint8 (H, W, 3) of any size, the path of an image file, or several of
                either. Files are turned upright by their EXIF orientation.

        Returns:
            For each photograph the class of each of its pixels, uint8 (height, width): the file's
            answer, enlarged by the nearest pixel.

        Raises:
            UserError: for another dtype or shape, and for a file that cannot be read.
        """
        found = []
        for image, (height, width) in stretched(photographs, self.input_size):
            made = self._file.run(SIGNATURES["segment"], images=image)["probabilities"][0]
            mask = Image.fromarray(made.argmax(axis=-1).astype(np.uint8))
            found.append(np.asarray(mask.resize((width, height), Image.Resampling.NEAREST)))
        return found
