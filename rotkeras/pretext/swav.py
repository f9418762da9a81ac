"""Predict the prototypes that another view of the image is assigned to (SwAV)."""

from typing import Any

from rotkeras.arguments.accepted import (
    Classes,
    NotNegative,
    NotNegativeNumber,
    Positive,
    Probability,
    Share,
    ShareRange,
    Strength,
    Temperature,
)
from rotkeras.arguments.checked import checked
from rotkeras.errors import must
from rotkeras.pretext.augmented_views import AugmentedViews, beside, interleaved, small_side
from rotkeras.pretext.base import Monitor
from rotkeras.pretext.no_labels import no_labels
from rotkeras.pretext.two_views import TwoViews

Tensor = Any


class SwAV(TwoViews):
    """The SwAV task: each view of an image predicts to which prototypes another view is assigned,
    while all prototypes get an equal share of the batch.

    Args:
        prototypes: number of directions that views are assigned to.
        frozen_epochs: passes over the training images during which the prototypes do not change.
        temperature: of the predictions.
        epsilon: smoothness of the assignments; higher values spread a view over more prototypes.
        iterations: of Sinkhorn-Knopp, which makes the assignments.
        hidden_units: units of the projection head's hidden layer.
        projection_units: length of the vectors that are compared with prototypes.
        local_crops: small crops of each image, which predict and are not assigned; 0 for none.
        local_size: side of the small crops, as a share of the shorter side of the images.
        local_crop_scale: least and greatest area of a small crop, as a share of the image.
        crop_scale: least and greatest area of the random crop of a view, as a share of the image.
        color_strength: of the colour jitter: brightness, contrast and saturation change by up to
            0.8 times, hue by up to 0.2 times this.
        grayscale: share of the views that are grey.
        blur: share of the views that are blurred; 0 for images of 32 pixels, 0.5 for photographs.

    Raises:
        UserError: for settings out of range.

    Example:
        task = SwAV()
        model = task.build_model(rotkeras.backbones.nin(blocks=4), images=50_000)
        model.compile("adam", task.loss(), metrics=task.metrics())

    Reference:
        Caron, Misra, Mairal, Goyal, Bojanowski, Joulin, Unsupervised Learning of Visual Features by
        Contrasting Cluster Assignments, NeurIPS 2020: section 3, appendix A. The queue of features
        for small batches is not there: use fewer prototypes than images in a batch.
    """

    method = (
        "predicting the prototypes of another view (SwAV: Caron, Misra, Mairal, Goyal, Bojanowski,"
        " Joulin, NeurIPS 2020)"
    )
    monitor = Monitor("agreement", "assignment agreement", "agreement")

    @checked
    def __init__(
        self,
        prototypes: Classes = 512,
        frozen_epochs: NotNegativeNumber = 1.0,
        temperature: Temperature = 0.1,
        epsilon: Temperature = 0.05,
        iterations: Positive = 3,
        hidden_units: Positive = 512,
        projection_units: Positive = 128,
        local_crops: NotNegative = 0,
        local_size: Share = 0.5,
        local_crop_scale: ShareRange = (0.05, 0.3),
        crop_scale: ShareRange = (0.2, 1.0),
        color_strength: Strength = 0.5,
        grayscale: Probability = 0.2,
        blur: Probability = 0.0,
    ) -> None:
        self.prototypes = prototypes
        self.frozen_epochs = frozen_epochs
        self.temperature = temperature
        self.epsilon = epsilon
        self.iterations = iterations
        self.hidden_units = hidden_units
        self.projection_units = projection_units
        self.local_crops = local_crops
        self.local_size = local_size
        self.local_crop_scale = (local_crop_scale[0], local_crop_scale[1])
        self.images_input = "views" if local_crops else None
        self.make_views(crop_scale, color_strength, grayscale, blur)

    def chance(self, images_per_batch: int) -> float:
        """The assignment agreement of a network that guesses: one of the prototypes."""
        return 1 / self.prototypes

    def views_per_image(self) -> float:
        """2, and what the small crops make up: a crop of half of the side is a quarter."""
        return 2 + self.local_crops * self.local_size**2

    def views_of_photographs(self, cut: Any, key: Any) -> tuple[Any, Any]:
        """The same views, whose crops are cut from photographs that stay encoded; arguments as of
        `AugmentedTask.views_of_photographs`."""
        whole = self.augmented.of_photographs(cut, key)
        return self._made([*whole, *self._small(whole[0]).of_photographs(cut, key)], key)

    def views(self, images: Tensor, key: Any) -> tuple[Any, Any]:
        """Two augmented views of each image and its small crops, inside `tf.data` or in NumPy.

        Args:
            images: uint8 (B, H, W, 3), a tensor or an array.
            key: what randomness is a function of.

        Returns:
            (x, y): x uint8 (2B, H, W, 3), the views of an image side by side; with k small crops of
            side s {"views": these, "crops": uint8 (kB, s, s, 3)}; y int32 (B,), 0.
        """
        return self.views_of_photographs(lambda crop, of_crop: crop(images, of_crop), key)

    def draw(self, key: Any) -> Any:
        """What is random, drawn on the host: int32 (B, D)."""
        drawn = self.augmented.draw(key)
        # The numbers of a crop do not depend on its size.
        return beside([drawn, self._crops(None).draw(key)]) if self.local_crops else drawn

    def labels(self, drawn: Any) -> Any:
        """y, on the host: int32 (B,), 0: no label is used."""
        return no_labels(drawn)

    def apply(self, images: Tensor, drawn: Tensor) -> Any:
        """The views as `views` makes them, inside the step by `keras.ops`, within one grey level:
        uint8 (B, H, W, 3) -> x."""
        from keras import ops

        width = self.augmented.width
        made = self.augmented.apply(images, drawn[:, :width])
        return self.arranged([*made, *self._small(images).apply(images, drawn[:, width:])], ops)

    def arranged(self, views: list[Tensor], library: Any) -> Any:
        """x of the views, the whole ones first."""
        whole = interleaved(views[:2], library)
        if not self.local_crops:
            return whole
        return {"views": whole, "crops": interleaved(views[2:], library)}

    def build_model(self, backbone: Any, images: int | None = None) -> Any:
        """Backbone, global average pooling, a projection head with batch norm, and prototypes.

        Args:
            backbone: a functional Keras model of uint8 images with a feature map (B, h, w, C) as
                its output.
            images: number of training images, for `frozen_epochs`.

        Returns:
            A Keras model, flat: x -> float32 (B, V, prototypes), the scores of the two views and
            then those of the small crops.

        Raises:
            UserError: for frozen epochs of an unknown number of images, and small crops of less
                than 8 pixels.
        """
        self.check_backbone(backbone)
        if images is None and self.frozen_epochs:
            raise must(
                "images",
                "be the number of training images",
                images,
                "give it, or set frozen_epochs to 0",
            )
        import keras

        from rotkeras.backbones import with_input_shape
        from rotkeras.pretext.heads import mlp, pool
        from rotkeras.pretext.layers import Prototypes

        shape = tuple(backbone.input_shape[1:])
        if self.local_crops:
            backbone = with_input_shape(backbone, shape, name="views")
        projected = mlp(
            pool(backbone), [self.hidden_units], self.projection_units, "projection", backbone
        )
        inputs: Any = backbone.input
        made = [_of_images(projected, 2)]
        if self.local_crops:
            side = self._side(shape)
            small = with_input_shape(
                keras.Model(backbone.input, projected), (side, side, 3), name="crops"
            )
            inputs = {"views": backbone.input, "crops": small.input}
            made.append(_of_images(small.output, self.local_crops))
        vectors = keras.layers.Concatenate(axis=1, name="vectors")(made) if made[1:] else made[0]
        frozen = round(self.frozen_epochs * (images or 0))
        scores = Prototypes(self.prototypes, frozen, name="prototypes")(vectors)
        return keras.Model(inputs, scores, name="swav")

    def criterion(self) -> Any:
        """Swapped prediction (equations 1 and 6)."""
        from rotkeras.pretext.prototype_losses import SwappedPrediction

        return SwappedPrediction(self.temperature, self.epsilon, self.iterations)

    def metrics(self) -> list[Any]:
        """Assignment agreement: the share of views that are nearest to the prototype that the other
        view is assigned to."""
        from rotkeras.pretext.prototype_losses import AssignmentAgreement

        return [AssignmentAgreement(self.epsilon, self.iterations, name="agreement")]

    def _side(self, shape: Any) -> int:
        """Pixels of each side of the small crops of images (H, W, 3)."""
        return small_side("local_size", self.local_size, shape)

    def _small(self, images: Tensor) -> AugmentedViews:
        """The small crops of a batch of images; none, of no size, where there are none."""
        return self._crops(self._side(images.shape[1:]) if self.local_crops else None)

    def _crops(self, size: int | None) -> AugmentedViews:
        steps = [self.steps(size, self.local_crop_scale) for _ in range(self.local_crops)]
        return AugmentedViews(steps, first=2)


def _of_images(rows: Tensor, count: int) -> Tensor:
    """Rows (B·V, d) as (B, V, d)."""
    import keras

    # The layer Reshape keeps the number of rows.
    return keras.ops.reshape(rows, (-1, count, rows.shape[-1]))
