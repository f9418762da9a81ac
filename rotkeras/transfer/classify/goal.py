"""The goal of a classifier: accuracy of one class an image, mean average precision of several."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rotkeras.data.epochs import Pipeline
from rotkeras.images import Size
from rotkeras.transfer.augmentation import augmentations
from rotkeras.transfer.average_precision import multi_label_average_precision
from rotkeras.transfer.base import Labelled, Result, Score, Tell, by_name
from rotkeras.transfer.classify.model import classifier
from rotkeras.transfer.classify.read import ClassifiedImages, read_classified
from rotkeras.transfer.files import timed

_IMAGES_PER_BATCH = 64
ACCURACY = Score("accuracy", "accuracy", "accuracy")
MEAN_AVERAGE_PRECISION = Score("map", "mean average precision (VOC 2007, 11 points)", "mAP")


class Classify:
    """See `rotkeras.transfer.base.Goal`.

    Args:
        settings: section `task` of a recipe.

    Attributes:
        several: whether an image may have several classes; known once the images are read.
    """

    name = "classify"
    signature = "predict"
    clip: float | None = None

    def __init__(self, settings: Any) -> None:
        self.settings = settings
        self.several = False

    @property
    def score(self) -> Score:
        """Accuracy, or mean average precision."""
        return MEAN_AVERAGE_PRECISION if self.several else ACCURACY

    def read(self, data: Any, size: Size, seed: int, tell: Tell) -> Labelled:
        """See `read_classified`."""
        labelled = read_classified(data, size, seed)
        self.several = labelled.train.several
        return labelled

    def build(
        self, network: Any, labelled: Labelled, input_shape: tuple[int, int, int], seed: int
    ) -> Any:
        """See `rotkeras.transfer.classifier`."""
        arguments = self.settings.model_dump(exclude={"name"})
        return classifier(
            network,
            len(labelled.class_names),
            multi_label=self.several,
            input_shape=input_shape,
            seed=seed,
            **arguments,
        )

    def compile(self, model: Any, optimizer: Any, train: Any, labelled: Labelled) -> None:
        """Crossentropy, weighted by class where the recipe says so."""
        import keras

        weights = None
        if train.class_weights == "balanced":
            weights = balanced(labelled.train.labels, len(labelled.class_names))
        loss = multi_label_crossentropy(weights) if self.several else crossentropy(weights)
        metrics = [] if self.several else [keras.metrics.SparseCategoricalAccuracy("accuracy")]
        model.compile(optimizer, loss, metrics=metrics)

    def head(self, model: Any) -> Sequence[Any]:
        """Batch norm and dense layer."""
        return [model.get_layer("head_norm"), model.get_layer("probabilities")]

    def kept(self, model: Any) -> Any:
        """The classifier itself."""
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
        """Random resized crops, flips and colours, by the pipeline of pre-training."""
        from rotkeras.data import pipeline

        part: ClassifiedImages = labelled.train
        return pipeline(
            part.images,
            _Labels(part),
            images_per_batch=min(images_per_batch, len(part)),
            seed=seed,
            augmentation=augmentations(augmentation),
            initial_epoch=initial_epoch,
        )

    def predict(self, network: Any, part: ClassifiedImages, size: Size) -> NDArray[np.float32]:
        """Probabilities float32 (N, C)."""
        made = [
            network.predict_on_batch(part.images.take(slice(begin, begin + _IMAGES_PER_BATCH)))
            for begin in range(0, len(part), _IMAGES_PER_BATCH)
        ]
        return np.concatenate(made).astype(np.float32)

    def predict_file(
        self, path: Path, part: ClassifiedImages, size: Size
    ) -> tuple[NDArray[np.float32], list[float]]:
        """The same by an exported file, image by image."""
        found, seconds = timed(
            path, self.signature, _one_by_one(part), lambda made: made["probabilities"]
        )
        return np.concatenate(found), seconds

    def judge(
        self,
        predictions: NDArray[np.float32],
        part: ClassifiedImages,
        class_names: Sequence[str],
    ) -> tuple[NDArray[np.float32], NDArray[Any]]:
        """Probabilities and labels."""
        return predictions, part.labels

    def evaluate(
        self,
        judged: tuple[NDArray[np.float32], NDArray[Any]],
        class_names: Sequence[str],
        positions: NDArray[np.int64] | None = None,
    ) -> Result:
        """Accuracy and that of each class; or the average precision of each and their mean."""
        rows: Any = slice(None) if positions is None else positions
        scores, labels = (each[rows] for each in judged)
        if self.several:
            each = multi_label_average_precision(scores, labels)
            known = [value for value in each if not np.isnan(value)]
            return Result(
                float(np.mean(known)) if known else 0.0, by_name(class_names, each), len(labels)
            )
        right = scores.argmax(axis=1) == labels
        of_class = [
            right[labels == number].mean() if (labels == number).any() else np.nan
            for number in range(len(class_names))
        ]
        return Result(float(right.mean()), by_name(class_names, of_class), len(labels))

    def details(
        self, predictions: Any, part: ClassifiedImages, class_names: Sequence[str]
    ) -> dict[str, float]:
        """None."""
        return {}

    def calibration(
        self, part: ClassifiedImages, size: Size, count: int, seed: int
    ) -> NDArray[np.uint8]:
        """Drawn training images."""
        return part.images.draw(count, seed).take(slice(None))

    def pictures(
        self,
        predictions: NDArray[np.float32],
        part: ClassifiedImages,
        size: Size,
        class_names: Sequence[str],
        count: int,
    ) -> list[tuple[str, NDArray[np.uint8]]]:
        """The images whose own class got the least probability."""
        scores = predictions
        if self.several:
            wrong = np.where(part.labels == 1, 1 - scores, np.where(part.labels < 0, scores, 0))
            worst = np.argsort(-wrong.max(axis=1), kind="stable")[:count]
            columns = wrong.argmax(axis=1)
            captions = [
                f"{class_names[columns[each]]}: {100 * scores[each, columns[each]]:.0f} %, and"
                f" {'is there' if part.labels[each, columns[each]] == 1 else 'is not there'}"
                for each in worst
            ]
        else:
            own = scores[np.arange(len(part)), part.labels]
            wrong = scores.argmax(axis=1) != part.labels
            order = np.argsort(own, kind="stable")
            worst = order[wrong[order]][:count]
            captions = [
                f"{class_names[part.labels[each]]} taken for"
                f" {class_names[scores[each].argmax()]} ({100 * scores[each].max():.0f} %)"
                for each in worst
            ]
        return [
            (caption, part.images.take(slice(int(each), int(each) + 1))[0])
            for caption, each in zip(captions, worst, strict=True)
        ]


class _Labels:
    """(images, labels) in the form of a pretext task, for `rotkeras.data.pipeline`."""

    in_numpy = True

    def __init__(self, part: ClassifiedImages) -> None:
        self._rows = len(part.images.array)
        self._places = np.zeros(self._rows, np.int64)
        self._places[part.images.rows] = np.arange(len(part))
        self._labels = part.labels.astype(np.float32) if part.several else part.labels

    def views(self, images: Any, key: Any) -> tuple[Any, Any]:
        """uint8 (B, H, W, 3), and classes (B,), or float32 (B, C) in {1, 0, -1}."""
        row = key.index % self._rows
        if isinstance(row, np.ndarray):
            return images, self._labels[self._places[row]]
        import tensorflow as tf

        return images, tf.gather(self._labels, tf.gather(self._places, row))

    def views_per_image(self) -> int:
        """One."""
        return 1


def balanced(labels: NDArray[Any], classes: int) -> NDArray[np.float32]:
    """Weights of classes, float32 (C,): the inverse of how often each occurs, 1 on average over
    images. A class that does not occur has 1.

    Args:
        labels: int (N,), or int8 (N, C) in {1, 0, -1}.
        classes: C.
    """
    several = labels.ndim == 2
    return weights_of_counts(
        (labels == 1).sum(axis=0) if several else np.bincount(labels, minlength=classes)
    )


def weights_of_counts(counts: NDArray[np.integer]) -> NDArray[np.float32]:
    """The same of how often each class occurs, (C,)."""
    there = counts > 0
    weights = np.ones(len(counts))
    weights[there] = counts[there].sum() / (there.sum() * counts[there].astype(np.float64))
    return weights.astype(np.float32)


def crossentropy(weights: NDArray[np.float32] | None) -> Any:
    """The crossentropy of one class an image; of weighted classes its weighted mean."""
    import keras
    from keras import ops

    if weights is None:
        return keras.losses.SparseCategoricalCrossentropy()
    table = ops.convert_to_tensor(weights)

    def weighted_crossentropy(labels: Any, probabilities: Any) -> Any:
        losses = keras.losses.sparse_categorical_crossentropy(labels, probabilities)
        of_image = ops.take(table, ops.cast(ops.reshape(labels, (-1,)), "int32"))
        return ops.sum(losses * of_image) / ops.sum(of_image)

    return weighted_crossentropy


def multi_label_crossentropy(weights: NDArray[np.float32] | None) -> Any:
    """The binary crossentropy of several classes an image, averaged over what counts: labels of 0
    are difficult and count neither way. Weights are those of classes that are there."""
    from keras import ops

    table = None if weights is None else ops.convert_to_tensor(weights)

    def multi_label_crossentropy(labels: Any, probabilities: Any) -> Any:
        labels = ops.cast(labels, "float32")
        there = ops.cast(labels > 0, "float32")
        counts = ops.cast(labels != 0, "float32")
        if table is not None:
            counts = counts * ops.where(there > 0, table, 1.0)
        chance = ops.clip(probabilities, 1e-7, 1 - 1e-7)
        losses = -there * ops.log(chance) - (1 - there) * ops.log(1 - chance)
        return ops.sum(losses * counts) / ops.maximum(ops.sum(counts), 1.0)

    return multi_label_crossentropy


def _one_by_one(part: ClassifiedImages) -> Any:
    return (part.images.take(slice(number, number + 1)) for number in range(len(part)))


def confusion(labels: NDArray[np.int64], found: NDArray[np.int64], classes: int) -> Any:
    """Images of each class (rows) by the class they were taken for (columns): int64 (C, C)."""
    return np.bincount(labels * classes + found, minlength=classes**2).reshape(classes, classes)
