"""Recognise an image by its own row of a memory bank (instance discrimination)."""

from typing import Any

import numpy as np

from rotkeras.arguments.accepted import Positive, Probability, ShareRange, Strength, Temperature
from rotkeras.arguments.checked import checked
from rotkeras.data import draws
from rotkeras.data.keyed import Key
from rotkeras.errors import must
from rotkeras.pretext.augmented_task import AugmentedTask
from rotkeras.pretext.augmented_views import AugmentedViews, beside
from rotkeras.pretext.base import Monitor

Tensor = Any

_STREAM = 9_000
"""Of the first draw of a negative, far from those of augmentations."""
_DRAWN = 2**31 - 1
"""Negatives are drawn below this, and are rows of the table modulo its number of rows: what draws
does not know how many there are."""


class InstanceDiscrimination(AugmentedTask):
    """The instance discrimination task: an augmented view of each image should be similar to what
    the network made of the same image before, and to no other image's.

    Args:
        temperature: of the probabilities.
        negatives_per_image: rows of other images that each image of a batch draws; all images
            share those of the batch, so that 16 make 4096 with 256 images.
        momentum: of the memory bank, from 0 (the latest vector) to 1 (no change).
        fixed_normaliser: whether the normaliser Z, the sum over all rows, stays as the first batch
            estimates it, as published; else each batch estimates it.
        projection_units: length of the vectors that the loss compares.
        crop_scale: least and greatest area of the random crop of a view, as a share of the image.
        color_strength: of the colour jitter: brightness, contrast and saturation change by up to
            0.8 times, hue by up to 0.2 times this.
        grayscale: share of the views that are grey.
        blur: share of the views that are blurred; 0 for images of 32 pixels, 0.5 for photographs.

    Raises:
        UserError: for settings out of range.

    Example:
        task = InstanceDiscrimination()
        model = task.build_model(rotkeras.backbones.nin(blocks=4), images=50_000)
        model.compile("adam", task.loss(), metrics=task.metrics())

    Reference:
        Wu, Xiong, Yu, Lin, Unsupervised Feature Learning via Non-Parametric Instance
        Discrimination, CVPR 2018, section 3. There each image has 4096 negatives of its own; here
        the images of a batch share them, so that similarities are one product of matrices, and an
        image's own row is not among its negatives. There Z stays as the first batch estimates it;
        here that is a choice, since the loss of short trainings then rose (docs/tasks).
    """

    method = (
        "recognising each image in a memory bank (instance discrimination: Wu, Xiong, Yu, Lin, CVPR"
        " 2018)"
    )
    monitor = Monitor("accuracy", "instance accuracy", "instance")
    validates = False
    images_input = "images"

    @checked
    def __init__(
        self,
        temperature: Temperature = 0.07,
        negatives_per_image: Positive = 16,
        momentum: Strength = 0.5,
        fixed_normaliser: bool = False,
        projection_units: Positive = 128,
        crop_scale: ShareRange = (0.2, 1.0),
        color_strength: Strength = 0.5,
        grayscale: Probability = 0.2,
        blur: Probability = 0.0,
    ) -> None:
        self.temperature = temperature
        self.negatives_per_image = negatives_per_image
        self.momentum = momentum
        self.fixed_normaliser = fixed_normaliser
        self.projection_units = projection_units
        self.keep_augmentations(crop_scale, color_strength, grayscale, blur)
        self.augmented = AugmentedViews([self.steps()])

    def chance(self, images_per_batch: int) -> float:
        """The instance accuracy of a network that guesses: the own row among the negatives."""
        return 1 / (1 + images_per_batch * self.negatives_per_image)

    def views_of_photographs(self, cut: Any, key: Key) -> tuple[Any, Any]:
        """The same views, whose crops are cut from photographs that stay encoded; arguments as of
        `AugmentedTask.views_of_photographs`."""
        (views,), numbers = self.augmented.of_photographs(cut, key), self._numbers(key)
        return _inputs(views, numbers), self.labels(numbers)

    def views(self, images: Tensor, key: Key) -> tuple[Any, Any]:
        """An augmented view of each image, its row of the memory bank, and negatives, inside
        `tf.data` or in NumPy.

        Args:
            images: uint8 (B, H, W, 3), a tensor or an array.
            key: what randomness is a function of; its `position` is the image's row, or where that
                is None, its `index`.

        Returns:
            (x, y): x {"images": uint8 (B, H, W, 3), "index": int32 (B,), "negatives": int32 (B,
            negatives_per_image), rows of the bank modulo their number}; y int32 (B,), 0.
        """
        return self.views_of_photographs(lambda crop, of_crop: crop(images, of_crop), key)

    def draw(self, key: Key) -> Any:
        """What is random, and each image's row, on the host: int32 (B, D)."""
        return beside([self.augmented.draw(key), self._numbers(key)])

    def apply(self, images: Tensor, drawn: Tensor) -> Any:
        """x as `views` makes it, inside the step by `keras.ops`, within one grey level."""
        width = self.augmented.width
        (views,) = self.augmented.apply(images, drawn[:, :width])
        return _inputs(views, drawn[:, width:])

    def build_model(self, backbone: Any, images: int | None = None) -> Any:
        """Backbone, global average pooling, a dense layer, and the memory bank.

        Args:
            backbone: a functional Keras model of uint8 images with a feature map (B, h, w, C) as
                its output.
            images: number of training images, rows of the bank.

        Returns:
            A Keras model, flat: x -> float32 (B, 1 + B · negatives_per_image), the log-ratios that
            `rotkeras.pretext.losses.nce` takes.

        Raises:
            UserError: for an unknown number of images.
        """
        self.check_backbone(backbone)
        if images is None:
            raise must("images", "be the number of training images", images)
        import keras

        from rotkeras.backbones import with_input_shape
        from rotkeras.pretext.heads import mlp, pool
        from rotkeras.pretext.layers import ImageTable, NoiseContrast, SharedPlaces

        backbone = with_input_shape(backbone, tuple(backbone.input_shape[1:]), name="images")
        index = keras.Input((), dtype="int32", name="index")
        drawn = keras.Input((self.negatives_per_image,), dtype="int32", name="negatives")
        projected = mlp(pool(backbone), [], self.projection_units, "projection", backbone)
        vectors = keras.layers.UnitNormalization(axis=-1, dtype="float32", name="unit")(projected)
        places = SharedPlaces(images, name="places")(drawn)
        bank = ImageTable(images, self.projection_units, self.momentum, name="memory_bank")
        own, negatives = bank([vectors, index, places])
        contrast = NoiseContrast(
            images, self.temperature, self.fixed_normaliser, name="noise_contrast"
        )
        inputs = {"images": backbone.input, "index": index, "negatives": drawn}
        ratios = contrast([vectors, own, negatives, index, places])
        return keras.Model(inputs, ratios, name="instance_discrimination")

    def criterion(self) -> Any:
        """Noise-contrastive estimation (equation 7)."""
        from rotkeras.pretext.nce_loss import NCE

        return NCE()

    def metrics(self) -> list[Any]:
        """Instance accuracy: the share of images that are most similar to their own row."""
        from rotkeras.pretext.first_of_logits import FirstOfRow

        return [FirstOfRow(name="accuracy")]

    def _numbers(self, key: Key) -> Any:
        """The row of each image, and its draws of negatives: int32 (B, 1 + negatives_per_image)."""
        streams = range(_STREAM, _STREAM + self.negatives_per_image)
        drawn = draws.draw(key, *((stream, _DRAWN) for stream in streams))
        position = key.index if key.position is None else key.position
        if isinstance(drawn, np.ndarray):
            own = np.asarray(position).astype(np.int32)
        else:
            import tensorflow as tf

            own = tf.cast(position, tf.int32)
        return beside([own[:, None], drawn])


def _inputs(views: Tensor, numbers: Tensor) -> dict[str, Tensor]:
    """x of the views (B, H, W, 3), and rows and negatives (B, 1 + negatives_per_image)."""
    return {"images": views, "index": numbers[:, 0], "negatives": numbers[:, 1:]}
