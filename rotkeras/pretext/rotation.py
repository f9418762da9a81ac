"""Predict by how much an image was rotated (RotNet)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rotkeras.arguments.accepted import Angles, Fraction, Views
from rotkeras.arguments.checked import checked
from rotkeras.errors import UserError, must
from rotkeras.pretext.base import Monitor
from rotkeras.pretext.shortcut_views import ROTATION, ShortcutViews
from rotkeras.pretext.views import quarter_turn, rotate_and_enlarge

Tensor = Any


class Rotation:
    """The rotation task: K rotated copies of each image, and a K-way classification of the angle.

    Args:
        angles: in degrees, counter-clockwise, distinct multiples of 45; the label of a view is its
            angle's position here. Multiples of 90 are exact transposes and flips. With any other
            angle all views are resampled alike.
        views: "all" gives the K views of each image, side by side; "one" draws one angle per image.

    Raises:
        UserError: for angles or combinations that are not offered.

    Example:
        task = Rotation()
        model = task.build_model(rotkeras.backbones.nin(blocks=4))
        model.compile("sgd", task.loss(), metrics=task.metrics())

    Reference:
        Gidaris, Singh, Komodakis, Unsupervised Representation Learning by Predicting Image
        Rotations, ICLR 2018, section 3.1 and equation 3; the angles of table 2.
    """

    joint_embedding = False
    head = "rotation"
    """The name of the layer of logits."""
    method = "predicting image rotations (RotNet: Gidaris, Singh, Komodakis, ICLR 2018)"

    @checked
    def __init__(
        self,
        angles: Angles = (0, 90, 180, 270),
        views: Views = "all",
    ) -> None:
        self.angles = tuple(angles)
        self.exact = all(angle % 90 == 0 for angle in self.angles)
        self.view_choice = views
        self.class_names = tuple(f"{angle}°" for angle in self.angles)
        self.monitor = Monitor(
            "accuracy", "rotation accuracy", "rotation", chance=1 / len(self.angles)
        )
        self.in_numpy = self.in_step = self.exact
        """Whether `views` takes NumPy arrays too, and views can be made inside the step: quarter
        turns need no resampling."""

    def views_per_image(self) -> int:
        """Views that pass through the backbone for each image of a batch: K, or 1 when one is
        drawn."""
        return len(self.angles) if self.view_choice == "all" else 1

    def views(self, images: Tensor, key: Any) -> tuple[Tensor, Tensor]:
        """Views and angle indices of a batch, inside `tf.data` or, when all angles are multiples of
        90, in NumPy.

        Args:
            images: uint8 (B, S, S, 3), square; a tensor or an array.
            key: what randomness is a function of (used by views="one").

        Returns:
            (x, y): x uint8 (B·K, S, S, 3) in image-major order, views 0 … K−1 of image 0, then of
            image 1; y int32 (B·K,), the position of each view's angle. With views="one" (B, S, S,
            3) and (B,).
        """
        check_square(images.shape[1:3])
        if isinstance(images, np.ndarray):
            return self._numpy_views(images, key)
        import tensorflow as tf

        count = len(self.angles)
        views = tf.stack(self._rotated(images, tf), axis=1)
        if self.view_choice == "one":
            labels = self.draw(key)[:, 0]
            return tf.gather(views, labels, axis=1, batch_dims=1), labels
        batch = images.shape[0]
        views = tf.reshape(views, (-1, *images.shape[1:]))
        labels = tf.tile(tf.range(count), [tf.shape(images)[0]])
        return views, tf.ensure_shape(labels, (None if batch is None else batch * count,))

    def _numpy_views(
        self, images: NDArray[np.uint8], key: Any
    ) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
        batch, count = len(images), len(self.angles)
        if self.view_choice == "one":
            drawn = self.draw(key)[:, 0]
            one = np.empty_like(images)
            for position, angle in enumerate(self.angles):
                chosen = drawn == position
                one[chosen] = quarter_turn(images[chosen], angle // 90, np)
            return one, drawn
        views = np.empty((batch, count, *images.shape[1:]), np.uint8)
        for position, turned in enumerate(self._rotated(images, np)):
            if turned is images:
                views[:, position] = images
                continue
            for channel in range(
                images.shape[3]
            ):  # planes of bytes are copied three times as fast as pixels of three
                views[:, position, :, :, channel] = turned[..., channel]
        return views.reshape(-1, *images.shape[1:]), np.tile(
            np.arange(count, dtype=np.int32), batch
        )

    def draw(self, key: Any) -> Any:
        """What is random, drawn on the host: int32 (B, 1), the position of an angle; (B, 0) where
        all angles are shown."""
        from rotkeras.data import draws
        from rotkeras.data.augmentation import FIRST_FREE_STREAM

        return draws.draw(
            key, *([(FIRST_FREE_STREAM, len(self.angles))] if self.view_choice == "one" else [])
        )

    def labels(self, drawn: Any) -> Any:
        """y of the views that `apply` makes, on the host: int32 (B, K), or (B,) for one angle.
        `drawn` is of `draw`."""
        if self.view_choice == "one":
            return drawn[:, 0]
        count = len(self.angles)
        if isinstance(drawn, np.ndarray):
            return np.tile(np.arange(count, dtype=np.int32), (len(drawn), 1))
        import tensorflow as tf

        return tf.ensure_shape(
            tf.tile(tf.range(count)[None], [tf.shape(drawn)[0], 1]), (drawn.shape[0], count)
        )

    def apply(self, images: Tensor, drawn: Tensor) -> Tensor:
        """The views as `views` makes them, inside the step by `keras.ops`: uint8 (B, S, S, 3) ->
        (B·K, S, S, 3) or (B, S, S, 3)."""
        from keras import ops

        if self.view_choice == "one":
            views = images
            for position, turned in enumerate(self._rotated(images, ops)):
                views = ops.where(drawn[:, 0, None, None, None] == position, turned, views)
            return views
        return ops.reshape(ops.stack(self._rotated(images, ops), axis=1), (-1, *images.shape[1:]))

    def build_model(self, backbone: Any, images: int | None = None) -> Any:
        """Backbone, global average pooling and a dense layer of K logits.

        Args:
            backbone: a functional Keras model of square uint8 images with a feature map (B, h, w,
                C) as its output.
            images: not used.

        Returns:
            A Keras model, flat: uint8 (B, S, S, 3) -> logits (B, K).
        """
        import keras

        if not isinstance(backbone, keras.Model):
            raise must("backbone", "be a Keras model", backbone)
        check_square(backbone.input_shape[1:3])
        count = len(self.angles)
        pooled = keras.layers.GlobalAveragePooling2D(name="pool")(backbone.output)
        # Float32 logits under any precision: a softmax of sixteen-bit logits loses digits that the
        # loss needs.
        logits = keras.layers.Dense(count, name=self.head, dtype="float32")(pooled)
        return keras.Model(backbone.input, logits, name="classifier")

    def network(self, model: Any) -> Any:
        """The flat classifier (B, S, S, 3) -> logits (B, K): the model itself."""
        return model

    def shortcut_views(self, images: NDArray[np.uint8], key: Any) -> tuple[ShortcutViews, ...]:
        """All K views of each image and their angles, for an audit; `key` is not used.

        Args:
            images: uint8 (B, S, S, 3), square.
        """
        check_square(images.shape[1:3])
        if self.exact:
            views = np.stack(self._rotated(images, np), axis=1)
        else:
            import tensorflow as tf

            views = np.stack([each.numpy() for each in self._rotated(tf.constant(images), tf)], 1)
        count = len(self.angles)
        labels = np.tile(np.arange(count, dtype=np.int64), len(images))
        views = views.reshape(-1, 1, *images.shape[1:])
        return (ShortcutViews(ROTATION, views, labels, self.class_names),)

    def callbacks(self, images: Any) -> list[Any]:
        """An empty list: the task does nothing between epochs."""
        return []

    @checked
    def loss(self, label_smoothing: Fraction = 0.0) -> Any:
        """Mean cross-entropy over all views of the batch (equation 3), from logits and integer
        labels.

        Args:
            label_smoothing: share of the target spread evenly over the angles, 0 ≤ label_smoothing
                < 1.
        """
        import keras

        if label_smoothing == 0:
            return keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        from rotkeras.pretext.smoothed_crossentropy import SmoothedCrossentropy

        return SmoothedCrossentropy(label_smoothing)

    def metrics(self) -> list[Any]:
        """Rotation accuracy over all views, and for each angle."""
        import keras

        from rotkeras.pretext.angle_accuracy import AngleAccuracy

        return [
            keras.metrics.SparseCategoricalAccuracy(name="accuracy"),
            AngleAccuracy(self.angles),
        ]

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor, for models that make their views (`InStep`)."""
        return {"angles": list(self.angles), "views": self.view_choice}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Rotation":
        """The task of a config."""
        return cls(**config)

    def _rotated(self, images: Tensor, library: Any) -> list[Tensor]:
        if self.exact:
            return [quarter_turn(images, angle // 90, library) for angle in self.angles]
        # Two resamplings, 0° and 45°; the other six views are exact quarter turns of these two.
        base = {
            rest: rotate_and_enlarge(images, rest) for rest in {angle % 90 for angle in self.angles}
        }
        return [quarter_turn(base[angle % 90], angle // 90, library) for angle in self.angles]


def check_square(size: Sequence[int | None], task: str = "The rotation task") -> None:
    """Raise a `UserError` for images (height, width) whose quarter turns have another shape, for a
    task by its name."""
    if size[0] != size[1]:
        raise UserError(
            f"{task} needs square images, got {size[0]}×{size[1]}; set"
            " data.image_size, which cuts a square."
        )
