"""A fine-tuned classifier on a device."""

import os

import numpy as np
from numpy.typing import NDArray

from rotkeras.device.given_images import Images, each_image
from rotkeras.device.labels import Classified
from rotkeras.device.task_file import SIGNATURES, file_at, read_task, size_of


class Classifier:
    """Tells which class an image shows, or which of several.

    Not for several threads at once.

    Args:
        path: a file that `rotkeras finetune classify` exported.
        threads: of the CPU, 1 when None.

    Attributes:
        class_names: C names, in the order of the probabilities.
        several: whether an image may show several classes: probabilities are of each alone then.
        input_size: pixels of each side of the images, or (H, W).

    Raises:
        UserError: for a file of another kind.

    Example:
        classifier = Classifier("runs/flowers/export/classifier-dynamic.tflite")
        found = classifier.classify(["rose.jpg"])
        print(found.names[0], found.probabilities[0].max())
    """

    def __init__(self, path: str | os.PathLike[str], threads: int | None = None):
        self._file = file_at(path, threads)
        content = read_task(self._file, "classify")
        self.class_names: tuple[str, ...] = tuple(content["classes"])
        self.several = bool(content.get("several", False))
        self.input_size = size_of(self._file, SIGNATURES["classify"])

    def classify(self, images: Images) -> Classified:
        """Classify images.

        Args:
            images: uint8 (n, H, W, 3) or (H, W, 3), the path of an image file, or several of
                either. Files are turned upright, cut to the centre and resized.

        Returns:
            `names`, the most probable class of each image (n,), and `probabilities`, float32
            (n, C).

        Raises:
            UserError: for another dtype or shape, and for a file that cannot be read.
        """
        rows: list[NDArray[np.float32]] = [
            self._file.run(SIGNATURES["classify"], images=image[None])["probabilities"]
            for image in each_image(images, self.input_size, self._file.path)[1]
        ]
        probabilities = np.concatenate(rows).astype(np.float32)
        names = np.array(self.class_names)[probabilities.argmax(axis=1)]
        return Classified(names, probabilities)
