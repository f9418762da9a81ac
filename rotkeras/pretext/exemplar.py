"""Recognise the copies of an image among those of others (exemplar)."""

from typing import Any, Literal

import numpy as np

from rotkeras.arguments.accepted import (
    NotNegativeNumber,
    Positive,
    Probability,
    SeveralViews,
    ShareRange,
    Strength,
)
from rotkeras.arguments.checked import checked
from rotkeras.data.keyed import Key
from rotkeras.errors import UserError, must
from rotkeras.pretext.augmented_task import AugmentedTask
from rotkeras.pretext.augmented_views import AugmentedViews, beside, library_of
from rotkeras.pretext.base import Monitor

Tensor = Any
ExemplarKind = Literal["triplets", "classes"]

_MARGIN, _EMBEDDING_UNITS = 0.5, 1000
"""Of triplets, as published."""
_MOST_CLASSES = 100_000
"""Classes of a softmax: of 192 features these are 19 million weights, three times the NIN's."""


class Exemplar(AugmentedTask):
    """The exemplar task: several augmented copies of each image should be alike, and unlike those
    of all other images.

    Args:
        kind: "triplets" compares embeddings of the copies of a batch by the semi-hard triplet loss;
            "classes" makes each training image a class of its own, by a softmax over all of them.
        copies: augmented copies of each image in a batch.
        margin: by which a copy of another image should be farther than one of the same; of
            triplets alone. None for the published 0.5.
        embedding_units: length of the vectors that are compared; of triplets alone. None for the
            published 1000.
        crop_scale: least and greatest area of the random crop of a copy, as a share of the image.
        color_strength: of the colour jitter: brightness, contrast and saturation change by up to
            0.8 times, hue by up to 0.2 times this.
        grayscale: share of the copies that are grey.
        blur: share of the copies that are blurred; the papers have none.

    Raises:
        UserError: for settings out of range, or of the other kind. Later, for classes of more than
            100,000 images.

    Example:
        task = Exemplar()
        model = task.build_model(rotkeras.backbones.nin(blocks=4))
        model.compile("adam", task.loss(), metrics=task.metrics())

    Reference:
        Dosovitskiy, Springenberg, Riedmiller, Brox, Discriminative Unsupervised Feature Learning
        with Convolutional Neural Networks, NIPS 2014 (classes); Kolesnikov, Zhai, Beyer, Revisiting
        Self-Supervised Visual Representation Learning, CVPR 2019, section 3 (triplets).
    """

    @checked
    def __init__(
        self,
        kind: ExemplarKind = "triplets",
        copies: SeveralViews = 8,
        margin: NotNegativeNumber | None = None,
        embedding_units: Positive | None = None,
        crop_scale: ShareRange = (0.05, 1.0),
        color_strength: Strength = 0.5,
        grayscale: Probability = 0.66,
        blur: Probability = 0.0,
    ) -> None:
        of_triplets = {"margin": margin, "embedding_units": embedding_units}
        for name, value in of_triplets.items():
            if kind == "classes" and value is not None:
                raise must(name, "be None with kind classes", value, "it is of triplets alone")
        self.kind = kind
        self.copies = copies
        self.margin = margin
        self.embedding_units = embedding_units
        self.keep_augmentations(crop_scale, color_strength, grayscale, blur)
        self.augmented = AugmentedViews([self.steps()] * copies)
        triplets = kind == "triplets"
        self.joint_embedding = self.spans_batch = self.validates = triplets
        self.least_images_per_batch = 2 if triplets else 1
        self.monitor = Monitor("accuracy", "exemplar accuracy", "exemplar")
        self.method = (
            "recognising augmented copies of an image among those of others (exemplar: Kolesnikov,"
            " Zhai, Beyer, CVPR 2019)"
            if triplets
            else "classifying augmented copies of images, each a class of its own (Exemplar-CNN:"
            " Dosovitskiy, Springenberg, Riedmiller, Brox, NIPS 2014)"
        )
        self._images: int | None = None

    def chance(self, images_per_batch: int) -> float | None:
        """The exemplar accuracy of a network that guesses. Of triplets one of the other copies of
        the image, among all others of the batch; of classes one of the training images, and None
        before `build_model` is told how many there are."""
        if self.kind == "classes":
            return None if self._images is None else 1 / self._images
        return (self.copies - 1) / (self.copies * images_per_batch - 1)

    def views(self, images: Tensor, key: Key) -> tuple[Any, Any]:
        """The augmented copies of each image, inside `tf.data` or in NumPy.

        Args:
            images: uint8 (B, H, W, 3), a tensor or an array.
            key: what randomness is a function of; its `position` is the image, or where that is
                None, its `index`.

        Returns:
            (x, y): x uint8 (B·copies, H, W, 3), the copies of an image side by side; y int32
            (B·copies,), the position of the image of each copy.
        """
        return super().views(images, key)

    def _made(self, views: list[Tensor], key: Key) -> tuple[Any, Any]:
        library = library_of(views[0])
        labels = self.labels(_positions(key))
        return self.arranged(views, library), library.reshape(labels, (-1,))

    def draw(self, key: Key) -> Any:
        """What is random, drawn on the host, and last the position of each image: int32 (B, D)."""
        return beside([self.augmented.draw(key), _positions(key)])

    def labels(self, drawn: Any) -> Any:
        """y of the copies that `apply` makes, on the host: int32 (B, copies), the position of the
        image, which is the last column of `drawn`."""
        return library_of(drawn).tile(drawn[:, -1:], (1, self.copies))

    def apply(self, images: Tensor, drawn: Tensor) -> Any:
        """The copies as `views` makes them, inside the step by `keras.ops`, within three grey
        levels: uint8 (B, H, W, 3) -> x."""
        return super().apply(images, drawn[:, : self.augmented.width])

    def build_model(self, backbone: Any, images: int | None = None) -> Any:
        """Backbone, global average pooling and a dense layer.

        Args:
            backbone: a functional Keras model of uint8 images with a feature map (B, h, w, C) as
                its output.
            images: number of training images: that of classes, of which there are 100,000 at most.

        Returns:
            A Keras model, flat: uint8 (B·copies, H, W, 3) -> float32 (B·copies, embedding_units),
            or (B·copies, images), the logits of classes.

        Raises:
            UserError: for classes of an unknown number of images, or of too many.
        """
        self.check_backbone(backbone)
        import keras

        from rotkeras.pretext.heads import pool

        if self.kind == "triplets":
            units, name = self.embedding_units or _EMBEDDING_UNITS, "projection"
        else:
            units, name = self._classes(images), "exemplars"
        last = keras.layers.Dense(units, name=name, dtype="float32")(pool(backbone))
        return keras.Model(backbone.input, last, name="exemplar")

    def _classes(self, images: int | None) -> int:
        if images is None:
            raise must("images", "be the number of training images", images)
        if images > _MOST_CLASSES:
            raise UserError(
                f"Exemplar with kind classes takes at most {_MOST_CLASSES:,} training images, each"
                f" of which is a class, got {images:,}; set data.train_images to fewer, or"
                " task.kind to triplets."
            )
        self._images = images
        return images

    def criterion(self) -> Any:
        """The semi-hard triplet loss, or the cross-entropy of classes."""
        if self.kind == "triplets":
            from rotkeras.pretext.exemplar_losses import SemiHardTriplet

            return SemiHardTriplet(self.copies, _MARGIN if self.margin is None else self.margin)
        import keras

        return keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def metrics(self) -> list[Any]:
        """Exemplar accuracy: the share of copies whose nearest other copy of the batch is of the
        same image, or the accuracy of classes."""
        if self.kind == "triplets":
            from rotkeras.pretext.exemplar_losses import NearestCopyAccuracy

            return [NearestCopyAccuracy(name="accuracy")]
        import keras

        return [keras.metrics.SparseCategoricalAccuracy(name="accuracy")]


def _positions(key: Key) -> Any:
    """The position of each image: int32 (B, 1)."""
    position = key.index if key.position is None else key.position
    if isinstance(position, np.ndarray):
        return position.astype(np.int32)[:, None]
    import tensorflow as tf

    return tf.cast(position, tf.int32)[:, None]
