"""Make two views alike while each dimension keeps its variance (VICReg)."""

from typing import Any

from rotkeras.arguments.accepted import (
    NotNegativeNumber,
    Positive,
    Probability,
    ShareRange,
    Strength,
)
from rotkeras.arguments.checked import checked
from rotkeras.pretext.two_views import TwoViews


class VICReg(TwoViews):
    """The VICReg task: projections of two views should be alike, while over a batch each of their
    dimensions keeps a standard deviation of 1, and different dimensions are not correlated.

    Args:
        invariance: weight of the distance of two views.
        variance: weight of the hinge on the standard deviation of each dimension.
        covariance: weight of the covariances of different dimensions.
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
        task = VICReg()
        model = task.build_model(rotkeras.backbones.nin(blocks=4))
        model.compile("sgd", task.loss(), metrics=task.metrics())

    Reference:
        Bardes, Ponce, LeCun, VICReg: Variance-Invariance-Covariance Regularization for
        Self-Supervised Learning, ICLR 2022: equations 1 to 6, algorithm 1.
    """

    method = (
        "making the projections of two views alike while they keep their variance (VICReg: Bardes,"
        " Ponce, LeCun, ICLR 2022)"
    )

    @checked
    def __init__(
        self,
        invariance: NotNegativeNumber = 25.0,
        variance: NotNegativeNumber = 25.0,
        covariance: NotNegativeNumber = 1.0,
        hidden_units: Positive = 2048,
        projection_units: Positive = 2048,
        crop_scale: ShareRange = (0.2, 1.0),
        color_strength: Strength = 0.5,
        grayscale: Probability = 0.2,
        blur: Probability = 0.0,
        solarize: Probability = 0.0,
    ) -> None:
        self.invariance = invariance
        self.variance = variance
        self.covariance = covariance
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
        """Invariance, variance and covariance (equation 6), over all devices."""
        from rotkeras.pretext.whole_batch import VICRegLoss

        return VICRegLoss(self.invariance, self.variance, self.covariance)
