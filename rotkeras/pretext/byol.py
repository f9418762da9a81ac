"""Predict what a slowly moving copy of the network makes of an image's other view (BYOL)."""

from typing import Any

from rotkeras.arguments.accepted import Positive, Probability, ShareRange, Strength
from rotkeras.arguments.checked import checked
from rotkeras.pretext.two_views import TwoViews


class BYOL(TwoViews):
    """The BYOL task: from the projection of a view, a head predicts the projection that the target
    network makes of the other view of the image. The target network is a copy whose weights trail
    those of the network.

    It normalises by its running averages and not by its batch, unlike that of the paper
    (`rotkeras.pretext.layers.Follower`).

    Args:
        hidden_units: units of the hidden layers of the projection head and the predictor.
        projection_units: length of the vectors that are predicted.
        momentum: of the target network in the first step; it rises to 1 over the training.
        predictor: False for the projection itself in place of a prediction. Without a predictor and
            with momentum 0 the embeddings collapse.
        crop_scale: least and greatest area of the random crop of a view, as a share of the image.
        color_strength: of the colour jitter: brightness, contrast and saturation change by up to
            0.8 times, hue by up to 0.2 times this.
        grayscale: share of the views that are grey.
        blur: share of the views that are blurred; 0 for images of 32 pixels, 0.5 for photographs.
        solarize: share of the second views whose bright values are inverted.

    Raises:
        UserError: for settings out of range.

    Example:
        task = BYOL()
        model = task.build_model(rotkeras.backbones.nin(blocks=4))
        model.compile("sgd", task.loss(), metrics=task.metrics())
        model.fit(..., callbacks=task.callbacks(images))

    Reference:
        Grill et al., Bootstrap Your Own Latent, NeurIPS 2020: equations 1 and 2, section 3.2,
        appendices B and F; Cai et al., Exponential Moving Average Normalization, CVPR 2021.
    """

    method = (
        "predicting what a moving average of the network makes of an image's other view (BYOL:"
        " Grill et al., NeurIPS 2020)"
    )

    @checked
    def __init__(
        self,
        hidden_units: Positive = 4096,
        projection_units: Positive = 256,
        momentum: Strength = 0.99,
        predictor: bool = True,
        crop_scale: ShareRange = (0.08, 1.0),
        color_strength: Strength = 0.5,
        grayscale: Probability = 0.2,
        blur: Probability = 0.0,
        solarize: Probability = 0.0,
    ) -> None:
        self.hidden_units = hidden_units
        self.projection_units = projection_units
        self.momentum = momentum
        self.predictor = predictor
        self.make_views(crop_scale, color_strength, grayscale, blur, solarize)

    def build_model(self, backbone: Any, images: int | None = None) -> Any:
        """Backbone, pooling, projection head and predictor; beside them the target network, a copy
        of all but the predictor.

        Args:
            backbone: a functional Keras model of uint8 images with a feature map (B, h, w, C) as
                its output.
            images: not used.

        Returns:
            A Keras model: uint8 (B, H, W, 3) -> float32 (B, 2, projection_units), the prediction of
            each view and the target network's projection of it.
        """
        self.check_backbone(backbone)
        import keras

        from rotkeras.pretext.heads import mlp, pool
        from rotkeras.pretext.layers import Follower
        from rotkeras.pretext.predicted_views import packed

        hidden, units = [self.hidden_units], self.projection_units
        projected = mlp(pool(backbone), hidden, units, "projection", backbone)
        projector = keras.Model(backbone.input, projected, name="projector")
        target = Follower(projector, self.momentum, cosine=True, name="target")(backbone.input)
        predicted = (
            mlp(projected, hidden, units, "prediction", backbone) if self.predictor else projected
        )
        return keras.Model(backbone.input, packed(predicted, target), name="byol")

    def criterion(self) -> Any:
        """The squared distance of predictions and targets of unit length, 2 − 2 cos (equation 2):
        of each view, so its mean is half of the paper's sum over both views."""
        from rotkeras.pretext.predicted_views import NegativeCosine

        return NegativeCosine(2.0, 2.0, name="squared_distance")

    def metrics(self) -> list[Any]:
        """Contrastive accuracy: the share of predictions that are nearest to their partner's
        target."""
        from rotkeras.pretext.predicted_views import PredictionAccuracy

        return [PredictionAccuracy(name="accuracy")]

    def callbacks(self, images: Any) -> list[Any]:
        """One that says over how many steps the momentum rises."""
        from rotkeras.pretext.follower_steps import FollowerSteps

        return [FollowerSteps()]
