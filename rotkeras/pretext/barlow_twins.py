"""Make the cross-correlation of two views' embeddings the identity (Barlow Twins)."""

from typing import Any

from rotkeras.arguments.accepted import (
    NotNegativeNumber,
    Positive,
    PositiveNumber,
    Probability,
    ShareRange,
    Strength,
)
from rotkeras.arguments.checked import checked
from rotkeras.pretext.two_views import TwoViews


class BarlowTwins(TwoViews):
    """The Barlow Twins task: over a batch, each dimension of the projection of a view should be
    correlated with the same dimension of the other view, and with no other.

    Args:
        off_diagonal: weight of the correlations of different dimensions, λ.
        loss_scale: the loss is multiplied by this; it grows with projection_units, and learning
            rates would have to fall with it.
        hidden_units: units of the two hidden layers of the projection head.
        projection_units: length of the vectors that the loss compares.
        crop_scale: least and greatest area of the random crop of a view, as a share of the image.
        color_strength: of the colour jitter: brightness, contrast and saturation change by up to
            0.8 times, hue by up to 0.2 times this.
        grayscale: share of the views that are grey.
        blur: share of the views that are blurred; 0 for images of 32 pixels, 0.5 for photographs.
        solarize: share of the second views whose bright values are inverted.

    Raises:
        UserError: for settings out of range.

    Example:
        task = BarlowTwins()
        model = task.build_model(rotkeras.backbones.nin(blocks=4))
        model.compile("sgd", task.loss(), metrics=task.metrics())

    Reference:
        Zbontar, Jing, Misra, LeCun, Deny, Barlow Twins: Self-Supervised Learning via Redundancy
        Reduction, ICML 2021: equations 1 and 2, section 2.2.
    """

    method = (
        "making the cross-correlation of the projections of two views the identity (Barlow Twins:"
        " Zbontar et al., ICML 2021)"
    )

    @checked
    def __init__(
        self,
        off_diagonal: NotNegativeNumber = 0.005,
        loss_scale: PositiveNumber = 0.1,
        hidden_units: Positive = 2048,
        projection_units: Positive = 2048,
        crop_scale: ShareRange = (0.08, 1.0),
        color_strength: Strength = 0.5,
        grayscale: Probability = 0.2,
        blur: Probability = 0.0,
        solarize: Probability = 0.0,
    ) -> None:
        self.off_diagonal = off_diagonal
        self.loss_scale = loss_scale
        self.hidden_units = hidden_units
        self.projection_units = projection_units
        self.make_views(crop_scale, color_strength, grayscale, blur, solarize)

    def build_model(self, backbone: Any, images: int | None = None) -> Any:
        """Backbone, global average pooling and a projection head of three dense layers.

        Args:
            backbone: a functional Keras model of uint8 images with a feature map (B, h, w, C) as
                its output.
            images: not used.

        Returns:
            A Keras model, flat: uint8 (B, H, W, 3) -> float32 (B, projection_units).
        """
        self.check_backbone(backbone)
        import keras

        from rotkeras.pretext.heads import mlp, pool

        hidden = [self.hidden_units] * 2
        projected = mlp(pool(backbone), hidden, self.projection_units, "projection", backbone)
        return keras.Model(backbone.input, projected, name="projector")

    def criterion(self) -> Any:
        """The cross-correlation's distance to the identity (equation 1), over all devices."""
        from rotkeras.pretext.whole_batch import BarlowTwinsLoss

        return BarlowTwinsLoss(self.off_diagonal, self.loss_scale)
