"""The goal of a segmenter: mean intersection over union."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from rotkeras.data.augmentation import chain
from rotkeras.data.epochs import Pipeline
from rotkeras.data.keyed import Key
from rotkeras.images import Size, sides_of
from rotkeras.transfer.augmentation import colors, crops
from rotkeras.transfer.base import Labelled, Result, Score, Tell, by_name
from rotkeras.transfer.batches import training_batches
from rotkeras.transfer.classify.goal import weights_of_counts
from rotkeras.transfer.faults import Faults
from rotkeras.transfer.files import timed
from rotkeras.transfer.parts import settle_parts
from rotkeras.transfer.segment.colours import voc_colours
from rotkeras.transfer.segment.layers import HEAD
from rotkeras.transfer.segment.masks import MaskedImages
from rotkeras.transfer.segment.metrics import (
    confusion_matrix,
    intersection_over_union,
    mean_intersection_over_union,
    pixel_accuracy,
)
from rotkeras.transfer.segment.model import segmenter
from rotkeras.transfer.segment.overlay import sheet
from rotkeras.transfer.segment.read import read_masks
from rotkeras.transfer.segment.views import MaskViews

_IMAGES_PER_BATCH = 8


class Segment:
    """See `rotkeras.transfer.base.Goal`.

    Args:
        settings: section `task` of a recipe.
    """

    name = "segment"
    signature = "segment"
    clip: float | None = None
    score = Score("miou", "mean intersection over union", "mIoU")

    def __init__(self, settings: Any) -> None:
        self.settings = settings

    def read(self, data: Any, size: Size, seed: int, tell: Tell) -> Labelled:
        """See `read_masks`."""
        faults = Faults(data.on_fault)
        found = read_masks(data.path, faults=faults, class_names=data.classes)
        return settle_parts(
            Path(data.path).name,
            dict(found.parts),
            found.class_names,
            data.validation_fraction,
            seed,
            [*found.notes, *faults.lines()],
        )

    def build(
        self, network: Any, labelled: Labelled, input_shape: tuple[int, int, int], seed: int
    ) -> Any:
        """See `rotkeras.transfer.segmenter`."""
        arguments = self.settings.model_dump(exclude={"name"})
        classes = len(labelled.class_names)
        return segmenter(network, classes, input_shape=input_shape, seed=seed, **arguments)

    def compile(self, model: Any, optimizer: Any, train: Any, labelled: Labelled) -> None:
        """Crossentropy over the pixels that are not void."""
        from rotkeras.transfer.segment.loss import loss

        weights = None
        if train.class_weights == "balanced":
            weights = weights_of_counts(
                count_pixels(labelled.train, len(labelled.class_names))
            ).tolist()
        model.compile(optimizer, loss(weights))

    def head(self, model: Any) -> Sequence[Any]:
        """The layers behind the taps."""
        return [layer for layer in model.layers if layer.name.startswith(HEAD)]

    def kept(self, model: Any) -> Any:
        """The segmenter itself."""
        return model

    def batches(
        self,
        labelled: Labelled,
        augmentation: Any,
        size: Size,
        images_per_batch: int,
        seed: int,
        initial_epoch: int = 0,
    ) -> Pipeline:
        """Crops of the photographs with their masks."""
        part: MaskedImages = labelled.train
        views = MaskViews(part, sides_of(size), **crops(augmentation))
        change = chain(colors(augmentation))

        def make(positions: NDArray[np.int64], key: Key) -> Any:
            images, masks = views(positions, None if augmentation is None else key)
            return change(images, key), masks

        return training_batches(make, len(part), images_per_batch, seed, initial_epoch)

    def predict(self, network: Any, part: MaskedImages, size: Size) -> list[NDArray[np.uint8]]:
        """The class of each pixel of what the network sees: uint8 (H, W) each."""
        views = MaskViews(part, sides_of(size))
        found: list[NDArray[np.uint8]] = []
        for begin in range(0, len(part), _IMAGES_PER_BATCH):
            rows = np.arange(begin, min(begin + _IMAGES_PER_BATCH, len(part)))
            made = network.predict_on_batch(views(rows)[0])
            found += list(np.asarray(made).argmax(axis=-1).astype(np.uint8))
        return found

    def predict_file(
        self, path: Path, part: MaskedImages, size: Size
    ) -> tuple[list[NDArray[np.uint8]], list[float]]:
        """The same by an exported file."""
        return timed(
            path,
            self.signature,
            one_by_one(part, size),
            lambda made: made["probabilities"][0].argmax(axis=-1).astype(np.uint8),
        )

    def judge(
        self,
        predictions: Sequence[NDArray[np.uint8]],
        part: MaskedImages,
        class_names: Sequence[str],
    ) -> NDArray[np.int64]:
        """The confusion matrix of each photograph, int64 (N, C, C), over its own pixels:
        predictions are enlarged to them."""
        classes = len(class_names)
        made = np.zeros((len(part), classes, classes), np.int64)
        for row, each in enumerate(predictions):
            truth = part.mask(row)
            made[row] = confusion_matrix(truth, enlarged(each, truth), classes)
        return made

    def evaluate(
        self,
        judged: NDArray[np.int64],
        class_names: Sequence[str],
        positions: NDArray[np.int64] | None = None,
    ) -> Result:
        """Intersection over union of each class and their mean."""
        rows = judged if positions is None else judged[positions]
        total = rows.sum(axis=0)
        mean = mean_intersection_over_union(total)
        return Result(mean, by_name(class_names, intersection_over_union(total)), len(rows))

    def details(
        self, predictions: Any, part: MaskedImages, class_names: Sequence[str]
    ) -> dict[str, float]:
        """The accuracy of pixels."""
        total = self.judge(predictions, part, class_names).sum(axis=0)
        return {"pixel accuracy": pixel_accuracy(total)}

    def calibration(
        self, part: MaskedImages, size: Size, count: int, seed: int
    ) -> NDArray[np.uint8]:
        """Drawn training photographs, stretched."""
        drawn = part.draw(min(count, len(part)), seed)
        return MaskViews(drawn, sides_of(size))(np.arange(len(drawn)))[0]

    def pictures(
        self,
        predictions: Sequence[NDArray[np.uint8]],
        part: MaskedImages,
        size: Size,
        class_names: Sequence[str],
        count: int,
    ) -> list[tuple[str, NDArray[np.uint8]]]:
        """Photograph, truth and prediction: the least accurate first."""
        judged = self.judge(predictions, part, class_names)
        accuracy = [pixel_accuracy(each) for each in judged]
        chosen = np.argsort(accuracy, kind="stable")[:count]
        images, masks = MaskViews(part, sides_of(size))(chosen)
        colours = voc_colours(len(class_names))
        return [
            (
                f"{part.names[row]}: photograph, truth, prediction;"
                f" {100 * accuracy[row]:.1f} % of pixels",
                sheet([image], [mask], [predictions[row]], colours),
            )
            for row, image, mask in zip(chosen, images, masks, strict=True)
        ]


def enlarged(prediction: NDArray[np.uint8], truth: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A prediction (H, W) at the size of a mask, by the nearest pixel."""
    if prediction.shape == truth.shape:
        return prediction
    size = (truth.shape[1], truth.shape[0])
    return np.asarray(Image.fromarray(prediction).resize(size, Image.Resampling.NEAREST))


def count_pixels(part: MaskedImages, classes: int) -> NDArray[np.int64]:
    """Pixels of each class in the masks of a part: int64 (classes,)."""
    total = np.zeros(256, np.int64)
    for row in range(len(part)):
        total += np.bincount(part.mask(row).ravel(), minlength=256)
    return total[:classes]


def one_by_one(part: MaskedImages, size: Size) -> Iterator[NDArray[np.uint8]]:
    """Each photograph, stretched: uint8 (1, H, W, 3)."""
    views = MaskViews(part, sides_of(size))
    for row in range(len(part)):
        yield views(np.array([row]))[0]
