"""The goal of a detector: mean average precision of boxes."""

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rotkeras.data.augmentation import chain
from rotkeras.data.epochs import Pipeline
from rotkeras.data.keyed import Key
from rotkeras.device.boxes import Detections, detections
from rotkeras.errors import UserError
from rotkeras.images import Size, sides_of
from rotkeras.transfer.augmentation import colors, crops
from rotkeras.transfer.base import Labelled, Result, Score, Tell, by_name
from rotkeras.transfer.batches import training_batches
from rotkeras.transfer.detect.boxes import BoxedImages
from rotkeras.transfer.detect.metrics import Judged, average, coco_map, judge
from rotkeras.transfer.detect.model import anchors_of, detector, flat_detector
from rotkeras.transfer.detect.pictures import draw_boxes, match
from rotkeras.transfer.detect.read import find_layout, read_boxes
from rotkeras.transfer.detect.views import BoxViews
from rotkeras.transfer.faults import Faults
from rotkeras.transfer.files import timed
from rotkeras.transfer.parts import settle_parts

_IMAGES_PER_BATCH = 16
_SHOWN_SCORE = 0.3


class Detect:
    """See `rotkeras.transfer.base.Goal`.

    Args:
        settings: section `task` of a recipe.
    """

    name = "detect"
    signature = "detect"
    clip: float | None = 10.0  # as keras-cv's RetinaNet: losses of first steps are large
    score = Score("map", "mean average precision (VOC 2007, IoU 0.5)", "mAP")

    def __init__(self, settings: Any) -> None:
        self.settings = settings

    def read(self, data: Any, size: Size, seed: int, tell: Tell) -> Labelled:
        """See `read_boxes`."""
        faults = Faults(data.on_fault)
        note = find_layout(data.path).note
        parts: dict[str, Any] = dict(read_boxes(data.path, faults=faults, classes=data.classes))
        labelled = settle_parts(
            Path(data.path).name,
            parts,
            next(iter(parts.values())).class_names,
            data.validation_fraction,
            seed,
            [note, *faults.lines()],
        )
        for name, part in (("validation", labelled.validation), ("test", labelled.test)):
            if not any(len(boxes.learned()) for boxes in part.boxes):
                raise UserError(
                    f"The {len(part)} {name} images of {data.path} have no object to find, so that"
                    " nothing can be measured. Add images with objects, or change"
                    " data.validation_fraction."
                )
        return labelled

    def build(
        self, network: Any, labelled: Labelled, input_shape: tuple[int, int, int], seed: int
    ) -> Any:
        """See `rotkeras.transfer.detector`."""
        arguments = self.settings.model_dump(exclude={"name"})
        classes = len(labelled.class_names)
        return detector(network, classes, input_shape=input_shape, seed=seed, **arguments)

    def compile(self, model: Any, optimizer: Any, train: Any, labelled: Labelled) -> None:
        """Focal loss and smooth L1, as published."""
        model.compile(optimizer=optimizer, classification_loss="focal", box_loss="smoothl1")

    def head(self, model: Any) -> Sequence[Any]:
        """The pyramid and the two heads."""
        return [model.feature_pyramid, model.classification_head, model.box_head]

    def kept(self, model: Any) -> Any:
        """See `rotkeras.transfer.flat_detector`."""
        return flat_detector(model)

    def batches(
        self,
        labelled: Labelled,
        augmentation: Any,
        size: Size,
        images_per_batch: int,
        seed: int,
        initial_epoch: int = 0,
    ) -> Pipeline:
        """Crops of the photographs with their boxes, padded with -1."""
        part: BoxedImages = labelled.train
        views = BoxViews(part, sides_of(size), **crops(augmentation))
        change = chain(colors(augmentation))

        def make(positions: NDArray[np.int64], key: Key) -> Any:
            images, corners, classes = views(positions, None if augmentation is None else key)
            changed = change(images, key)
            return changed, {"boxes": corners, "classes": classes}

        return training_batches(make, len(part), images_per_batch, seed, initial_epoch)

    def predict(self, network: Any, part: BoxedImages, size: Size) -> list[Detections]:
        """Objects of each photograph, in its pixels."""
        views = BoxViews(part, sides_of(size))
        anchors = self._anchors(size)
        found = []
        for begin in range(0, len(part), _IMAGES_PER_BATCH):
            rows = np.arange(begin, min(begin + _IMAGES_PER_BATCH, len(part)))
            made = network.predict_on_batch(views(rows)[0])
            for boxes, scores, row in zip(made["boxes"], made["scores"], rows, strict=True):
                found.append(self._objects(boxes, scores, anchors, size, part, int(row)))
        return found

    def predict_file(
        self, path: Path, part: BoxedImages, size: Size
    ) -> tuple[list[Detections], list[float]]:
        """The same by an exported file."""
        anchors, rows = self._anchors(size), itertools.count()
        return timed(
            path,
            self.signature,
            one_by_one(part, size),
            lambda made: self._objects(
                made["boxes"][0], made["scores"][0], anchors, size, part, next(rows)
            ),
        )

    def judge(
        self, predictions: Sequence[Detections], part: BoxedImages, class_names: Sequence[str]
    ) -> list[Judged]:
        """The detections of each photograph, held against its objects."""
        classes = len(class_names)
        return [
            judge(found, truth, classes)
            for found, truth in zip(predictions, part.boxes, strict=True)
        ]

    def evaluate(
        self,
        judged: Sequence[Judged],
        class_names: Sequence[str],
        positions: NDArray[np.int64] | None = None,
    ) -> Result:
        """Average precision of each class and their mean."""
        rows = judged if positions is None else [judged[row] for row in positions]
        found = average(rows, class_names)
        # A draw of a bootstrap may hold no object at all.
        mean = 0.0 if np.isnan(found.mean) else found.mean
        return Result(mean, by_name(class_names, found.per_class), len(rows))

    def details(
        self, predictions: Sequence[Detections], part: BoxedImages, class_names: Sequence[str]
    ) -> dict[str, float]:
        """COCO's average precisions."""
        found = coco_map(predictions, part.boxes, class_names)
        names = {
            "COCO AP": found.average,
            "COCO AP at IoU 0.5": found.at_50,
            "COCO AP at IoU 0.75": found.at_75,
        }
        return {name: value for name, value in names.items() if not np.isnan(value)}

    def calibration(
        self, part: BoxedImages, size: Size, count: int, seed: int
    ) -> NDArray[np.uint8]:
        """Drawn training photographs, stretched."""
        drawn = part.draw(min(count, len(part)), seed)
        return BoxViews(drawn, sides_of(size))(np.arange(len(drawn)))[0]

    def pictures(
        self,
        predictions: Sequence[Detections],
        part: BoxedImages,
        size: Size,
        class_names: Sequence[str],
        count: int,
    ) -> list[tuple[str, NDArray[np.uint8]]]:
        """Photographs with true and found boxes: those with most misses and false finds first, and
        in the other half those with fewest."""
        met = [
            match(truth, each, _SHOWN_SCORE)
            for truth, each in zip(part.boxes, predictions, strict=True)
        ]
        order = sorted(range(len(met)), key=lambda row: -met[row].mistakes)
        half = count // 2
        chosen = [*order[: count - half], *order[::-1][:half]] if len(order) > count else order
        return [
            draw_boxes(part.paths[row], part.boxes[row], predictions[row], met[row], class_names)
            for row in chosen
        ]

    def _anchors(self, size: Size) -> NDArray[np.float32]:
        return anchors_of(self.settings.anchor_size)(sides_of(size))

    def _objects(
        self, boxes: Any, scores: Any, anchors: Any, size: Size, part: BoxedImages, row: int
    ) -> Detections:
        height, width = part.shapes[row, :2].tolist()
        return detections(boxes, scores, anchors, sides_of(size), (height, width))


def one_by_one(part: BoxedImages, size: Size) -> Iterator[NDArray[np.uint8]]:
    """Each photograph, stretched: uint8 (1, H, W, 3)."""
    views = BoxViews(part, sides_of(size))
    for row in range(len(part)):
        yield views(np.array([row]))[0]
