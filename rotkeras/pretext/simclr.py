"""Recognise the other view of an image among all views of a batch (SimCLR)."""

from typing import Any

from rotkeras.arguments.accepted import (
    Positive,
    Probability,
    ShareRange,
    Strength,
    Temperature,
)
from rotkeras.arguments.checked import checked
from rotkeras.pretext.two_views import TwoViews


class SimCLR(TwoViews):
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

    method = (
        "recognising two augmented views of an image among those of others (SimCLR: Chen,"
        " Kornblith, Norouzi, Hinton, ICML 2020)"
    )

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
        self.make_views(crop_scale, color_strength, grayscale, blur)

    def build_model(self, backbone: Any, images: int | None = None) -> Any:
        """Backbone, global average pooling and a projection head of two dense layers.

        Args:
            backbone: a functional Keras model of uint8 images with a feature map (B, h, w, C) as
                its output.
            images: not used.

        Returns:
            A Keras model, flat: uint8 (B, H, W, 3) -> float32 (B, projection_units).
        """
        self.check_backbone(backbone)
        import keras

        from rotkeras.pretext.heads import pool

        hidden = keras.layers.Dense(self.hidden_units, activation="relu", name="hidden")(
            pool(backbone)
        )
        projected = keras.layers.Dense(self.projection_units, name="projection", dtype="float32")(
            hidden
        )
        return keras.Model(backbone.input, projected, name="projector")

    def criterion(self) -> Any:
        """NT-Xent (equation 1)."""
        from rotkeras.pretext.contrastive import NTXent

        return NTXent(self.temperature)
