"""A fine-tuned detector on a device: raw boxes of the file, objects by NumPy."""

import os

from rotkeras.device.boxes import Anchors, Detections, detections
from rotkeras.device.photographs import Photographs, stretched
from rotkeras.device.task_file import SIGNATURES, file_at, read_task, size_of
from rotkeras.errors import UserError
from rotkeras.images import sides_of


class Detector:
    """Finds objects in photographs.

    The file holds built-in operators alone and gives raw boxes and scores; what they mean, and
    which boxes show the same object, is computed here (`rotkeras.device.boxes`).

    Not for several threads at once.

    Args:
        path: a file that `rotkeras finetune detect` exported.
        threads: of the CPU, 1 when None.

    Attributes:
        class_names: one for each class.
        input_size: pixels of each side of the images, or (H, W).

    Raises:
        UserError: for a file of another kind.

    Example:
        detector = Detector("runs/animals/export/detector-dynamic.tflite")
        (found,) = detector.detect(["IMG_0001.jpg"])
        for corners, number, score in zip(found.corners, found.classes, found.scores):
            print(detector.class_names[number], score, corners)
    """

    def __init__(self, path: str | os.PathLike[str], threads: int | None = None):
        self._file = file_at(path, threads)
        content = read_task(self._file, "detect")
        self.class_names: tuple[str, ...] = tuple(content["classes"])
        self.input_size = size_of(self._file, SIGNATURES["detect"])
        try:
            anchors = Anchors(**{key: tuple(each) for key, each in content["anchors"].items()})
            self._anchors = anchors(sides_of(self.input_size))
        except (KeyError, TypeError, AttributeError) as error:
            raise UserError(
                f"task.json of {str(self._file.path)!r} must have anchors; export it again."
            ) from error

    def detect(
        self, photographs: Photographs, *, least_score: float = 0.3, iou: float = 0.5
    ) -> list[Detections]:
        """Find objects.

        Args:
            photographs: uint8 (H, W, 3) of any size, the path of an image file, or several of
                either. Files are turned upright by their EXIF orientation.
            least_score: objects must have a greater one, 0 … 1.
            iou: boxes that overlap a better one of their class by more are left out.

        Returns:
            `Detections` for each photograph, corners in its pixels.

        Raises:
            UserError: for another dtype or shape, and for a file that cannot be read.
        """
        found = []
        for image, shape in stretched(photographs, self.input_size):
            made = self._file.run(SIGNATURES["detect"], images=image)
            found.append(
                detections(
                    made["boxes"][0],
                    made["scores"][0],
                    self._anchors,
                    sides_of(self.input_size),
                    shape,
                    least_score=least_score,
                    iou=iou,
                )
            )
        return found
