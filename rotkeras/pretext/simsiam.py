"""Predict the projection of an image's other view, without negatives (SimSiam)."""

from typing import Any

from rotkeras.arguments.accepted import Positive, Probability, ShareRange, Strength
from rotkeras.arguments.checked import checked
from rotkeras.pretext.two_views import TwoViews


class SimSiam(TwoViews):
    """The SimSiam task: from the projection of a view, a small head predicts that of the other view
    of the image, which has no gradient.

    Args:
        hidden_units: units of each hidden layer of the projection head.
        hidden_layers: hidden layers of the projection head: 1 for CIFAR-10, 2 for ImageNet.
        projection_units: length of the vectors that are predicted.
        prediction_units: units of the hidden layer of the predictor, fewer than projection_units.
        crop_scale: least and greatest area of the random crop of a view, as a share of the image.
        color_strength: of the colour jitter: brightness, contrast and saturation change by up to
            0.8 times, hue by up to 0.2 times this.
        grayscale: share of the views that are grey.
        blur: share of the views that are blurred; 0 for images of 32 pixels, 0.5 for photographs.

    Raises:
        UserError: for settings out of range.

    Example:
        task = SimSiam()
        model = task.build_model(rotkeras.backbones.nin(blocks=4))
        model.compile("sgd", task.loss(), metrics=task.metrics())

    Reference:
        Chen, He, Exploring Simple Siamese Representation Learning, CVPR 2021: algorithm 1, section
        3, appendix D (CIFAR-10).
    """

    method = (
        "predicting the projection of an image's other view, with stopped gradients (SimSiam: Chen,"
        " He, CVPR 2021)"
    )

    @checked
    def __init__(
        self,
        hidden_units: Positive = 2048,
        hidden_layers: Positive = 1,
        projection_units: Positive = 2048,
        prediction_units: Positive = 512,
        crop_scale: ShareRange = (0.2, 1.0),
        color_strength: Strength = 0.5,
        grayscale: Probability = 0.2,
        blur: Probability = 0.0,
    ) -> None:
        self.hidden_units = hidden_units
        self.hidden_layers = hidden_layers
        self.projection_units = projection_units
        self.prediction_units = prediction_units
        self.make_views(crop_scale, color_strength, grayscale, blur)

    def build_model(self, backbone: Any, images: int | None = None) -> Any:
        """Backbone, pooling, a projection head with batch norm after each layer, and a predictor.

        Args:
            backbone: a functional Keras model of uint8 images with a feature map (B, h, w, C) as
                its output.
            images: not used.

        Returns:
            A Keras model, flat: uint8 (B, H, W, 3) -> float32 (B, 2, projection_units), prediction
            and projection of each view.
        """
        self.check_backbone(backbone)
        import keras

        from rotkeras.pretext.heads import mlp, pool
        from rotkeras.pretext.predicted_views import packed

        hidden = [self.hidden_units] * self.hidden_layers
        # The paper's last norm has neither scale nor offset, as its code has it.
        projected = mlp(
            pool(backbone), hidden, self.projection_units, "projection", backbone, norm="all"
        )
        predicted = mlp(
            projected, [self.prediction_units], self.projection_units, "prediction", backbone
        )
        return keras.Model(backbone.input, packed(predicted, projected), name="simsiam")

    def criterion(self) -> Any:
        """The negative cosine similarity of predictions and projections (equations 1 to 4)."""
        from rotkeras.pretext.predicted_views import NegativeCosine

        return NegativeCosine()

    def metrics(self) -> list[Any]:
        """Contrastive accuracy: the share of predictions that are nearest to their partner's
        projection."""
        from rotkeras.pretext.predicted_views import PredictionAccuracy

        return [PredictionAccuracy(name="accuracy")]
