"""Recognise the other view of an image among all views of a batch (SimCLR)."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rotkeras.arguments.accepted import (
    Fraction,
    Positive,
    Probability,
    ShareRange,
    Strength,
    Temperature,
)
from rotkeras.arguments.checked import checked
from rotkeras.data import keyed
from rotkeras.data.augmentation import key_of_step
from rotkeras.data.blur import gaussian_blur
from rotkeras.data.color import color_jitter, random_grayscale
from rotkeras.data.keyed import Key
from rotkeras.data.resized_crop import random_resized_crop
from rotkeras.errors import UserError, must
from rotkeras.pretext.base import Monitor

Tensor = Any

_VIEWS = 2
_FIRST_VIEW = 7_000
"""Number that makes the seed of a view, far from those of augmentations."""


class SimCLR:
    """The SimCLR task: two augmented views of each image, whose projections should be alike, and
    unlike those of all other images of the batch.

    Args:
        temperature: of the loss.
        hidden_units: units of the projection head's hidden layer.
        projection_units: length of the vectors that the loss compares.
        crop_scale: least and greatest area of the random crop of a view, as a share of the image.
        color_strength: of the colour jitter: brightness, contrast and saturation change by up to
            0.8 times, hue by up to 0.2 times this.
        grayscale: share of the views that are grey.
        blur: share of the views that are blurred; 0 for images of 32 pixels, 0.5 for photographs.

    Raises:
        UserError: for settings out of range.

    Example:
        task = SimCLR()
        model = task.build_model(rotkeras.backbones.nin(blocks=4))
        model.compile("adam", task.loss(), metrics=task.metrics())

    Reference:
        Chen, Kornblith, Norouzi, Hinton, A Simple Framework for Contrastive Learning of Visual
        Representations, ICML 2020: section 2, equation 1, appendices A and B.9 (CIFAR-10).
    """

    in_numpy = True
    in_step = True
    least_images_per_batch = 2
    spans_batch = True
    smooths_labels = False
    class_names = None
    joint_embedding = True
    method = (
        "recognising two augmented views of an image among those of others (SimCLR: Chen,"
        " Kornblith, Norouzi, Hinton, ICML 2020)"
    )
    monitor = Monitor("accuracy", "contrastive accuracy", "contrastive")

    @checked
    def __init__(
        self,
        temperature: Temperature = 0.5,
        hidden_units: Positive = 256,
        projection_units: Positive = 128,
        crop_scale: ShareRange = (0.08, 1.0),
        color_strength: Strength = 0.5,
        grayscale: Probability = 0.2,
        blur: Probability = 0.0,
    ) -> None:
        self.temperature = temperature
        self.hidden_units = hidden_units
        self.projection_units = projection_units
        self.crop_scale = crop_scale
        self.color_strength = color_strength
        self.grayscale = grayscale
        self.blur = blur
        strong, weak = 0.8 * color_strength, 0.2 * color_strength
        self.steps: list[Any] = [random_resized_crop(scale=self.crop_scale)]
        if color_strength:
            self.steps.append(color_jitter(strong, strong, strong, weak))
        if grayscale:
            self.steps.append(random_grayscale(grayscale))
        if blur:
            self.steps.append(gaussian_blur(probability=blur))

    def chance(self, images_per_batch: int) -> float:
        """The contrastive accuracy of a network that guesses: one of 2N − 1 other views."""
        return 1 / (_VIEWS * images_per_batch - 1)

    def views_per_image(self) -> int:
        """2."""
        return _VIEWS

    def views(self, images: Tensor, key: Key) -> tuple[Tensor, Tensor]:
        """Two augmented views of each image, inside `tf.data` or in NumPy.

        Args:
            images: uint8 (B, H, W, 3), a tensor or an array.
            key: what randomness is a function of.

        Returns:
            (x, y): x uint8 (2B, H, W, 3), the views of an image side by side; y int32 (2B,), the
            position of each view's partner in the batch.
        """
        keys = [_key_of_view(key, number) for number in range(_VIEWS)]
        views = [
            self._augmented(self.steps[0](images, key_of_step(view, 0)), view) for view in keys
        ]
        labels = self.labels(key.index)
        if isinstance(images, np.ndarray):
            stacked = np.stack(views, axis=1).reshape(-1, *images.shape[1:])
            return stacked, labels.reshape(-1)
        import tensorflow as tf

        stacked = tf.reshape(tf.stack(views, axis=1), (-1, *images.shape[1:]))
        batch = images.shape[0]
        count = None if batch is None else _VIEWS * batch
        return tf.ensure_shape(stacked, (count, *images.shape[1:])), tf.reshape(labels, (-1,))

    def views_of_photographs(
        self, cut: Callable[[Any, Key], Any], key: Key
    ) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
        """The same views, whose crops are cut from photographs that stay encoded.

        Args:
            cut: (crop, key) -> uint8 (B, H, W, 3), the crops of the images that are meant; the crop
                is a `rotkeras.data.augmentation.random_resized_crop`.
            key: as for `views`.
        """
        keys = [_key_of_view(key, number) for number in range(_VIEWS)]
        views = [self._augmented(cut(self.steps[0], key_of_step(view, 0)), view) for view in keys]
        stacked = np.stack(views, axis=1).reshape(-1, *views[0].shape[1:])
        return stacked, self.labels(key.index).reshape(-1)

    def _augmented(self, crops: Tensor, key: Key) -> Tensor:
        """Crops of a view after all steps that follow."""
        for number, step in enumerate(self.steps[1:], 1):
            crops = step(crops, key_of_step(key, number))
        return crops

    def draw(self, key: Key) -> Any:
        """What is random, drawn on the host: int32 (B, 2D), the numbers of the first view, then of
        the second."""
        drawn = [
            step.draw(key_of_step(_key_of_view(key, view), number))
            for view in range(_VIEWS)
            for number, step in enumerate(self.steps)
        ]
        if isinstance(key.index, np.ndarray):
            return np.concatenate(drawn, axis=1)
        import tensorflow as tf

        return tf.concat(drawn, axis=1)

    def labels(self, drawn: Any) -> Any:
        """y of the views that `apply` makes, on the host: int32 (B, 2), the position of each
        view's partner; `drawn` is of any shape (B, …)."""
        if isinstance(drawn, np.ndarray):
            positions = np.arange(2 * len(drawn), dtype=np.int32).reshape(-1, 2)
            return positions[:, ::-1]
        import tensorflow as tf

        positions = tf.reshape(tf.range(2 * tf.shape(drawn)[0]), (-1, 2))
        return tf.ensure_shape(tf.reverse(positions, [1]), (drawn.shape[0], 2))

    def apply(self, images: Tensor, drawn: Tensor) -> Tensor:
        """The views as `views` makes them, inside the step by `keras.ops`, within one grey level:
        uint8 (B, H, W, 3) -> (2B, H, W, 3)."""
        from keras import ops

        widths = [len(step.undrawn) for step in self.steps]
        views = []
        for view in range(_VIEWS):
            made, begin = images, view * sum(widths)
            for step, width in zip(self.steps, widths, strict=True):
                made = step.apply(made, drawn[:, begin : begin + width])
                begin += width
            views.append(made)
        return ops.reshape(ops.stack(views, axis=1), (-1, *images.shape[1:]))

    def build_model(self, backbone: Any, images: int | None = None) -> Any:
        """Backbone, global average pooling and a projection head of two dense layers.

        Args:
            backbone: a functional Keras model of uint8 images with a feature map (B, h, w, C) as
                its output.
            images: not used.

        Returns:
            A Keras model, flat: uint8 (B, H, W, 3) -> float32 (B, projection_units).
        """
        import keras

        if not isinstance(backbone, keras.Model):
            raise must("backbone", "be a Keras model", backbone)
        pooled = keras.layers.GlobalAveragePooling2D(name="pool")(backbone.output)
        hidden = keras.layers.Dense(self.hidden_units, activation="relu", name="hidden")(pooled)
        projected = keras.layers.Dense(self.projection_units, name="projection", dtype="float32")(
            hidden
        )
        return keras.Model(backbone.input, projected, name="projector")

    def network(self, model: Any) -> Any:
        """The backbone without the projection head: uint8 (B, H, W, 3) -> feature map."""
        import keras

        return keras.Model(model.input, model.get_layer("pool").input, name="backbone")

    @checked
    def loss(self, label_smoothing: Fraction = 0.0) -> Any:
        """Mean NT-Xent over all views of the batch (equation 1).

        Args:
            label_smoothing: 0; this loss has none.
        """
        if label_smoothing:
            raise UserError(
                f"train.label_smoothing must be 0 for SimCLR, got {label_smoothing:g}; its loss has"
                " no labels to smooth."
            )
        from rotkeras.pretext.contrastive import NTXent

        return NTXent(self.temperature)

    def metrics(self) -> list[Any]:
        """Contrastive accuracy: the share of views that are most alike to their partner."""
        from rotkeras.pretext.contrastive import ContrastiveAccuracy

        return [ContrastiveAccuracy(name="accuracy")]

    def callbacks(self, images: Any) -> list[Any]:
        """None."""
        return []

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {
            "temperature": self.temperature,
            "hidden_units": self.hidden_units,
            "projection_units": self.projection_units,
            "crop_scale": list(self.crop_scale),
            "color_strength": self.color_strength,
            "grayscale": self.grayscale,
            "blur": self.blur,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "SimCLR":
        """The task of a config."""
        return cls(**config)


def _key_of_view(key: Key, view: int) -> Key:
    """The key of one view of each image: a seed of its own."""
    if isinstance(key.index, np.ndarray):
        return key._replace(seed=keyed.mix(key.seed, _FIRST_VIEW + view).astype(np.int64))
    import tensorflow as tf

    from rotkeras.data import randomness

    return key._replace(seed=tf.bitcast(randomness.mix(key.seed, _FIRST_VIEW + view), tf.int64))
