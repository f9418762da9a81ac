"""Recognise the key of an image's other view in a queue of keys (MoCo v2)."""

from typing import Any

from rotkeras.arguments.accepted import (
    Positive,
    Probability,
    ShareRange,
    Strength,
    Temperature,
)
from rotkeras.arguments.checked import checked
from rotkeras.pretext.base import Monitor
from rotkeras.pretext.no_labels import no_labels
from rotkeras.pretext.two_views import TwoViews

Tensor = Any


class MoCo(TwoViews):
    """The MoCo v2 task: a query, the projection of the first view, should be most similar to the
    key that the key encoder makes of the second view, among keys of earlier batches. The key
    encoder is a copy of the network whose weights trail those of the network.

    It normalises by its running averages, so a key does not depend on the other images of its
    batch; the paper shuffles images over devices for that.

    Args:
        temperature: of the loss.
        momentum: of the key encoder.
        queue_size: number of keys of earlier batches, a multiple of the images per batch.
        hidden_units: units of the projection head's hidden layer.
        projection_units: length of queries and keys.
        head_batch_norm: whether the projection head has batch norm behind its hidden layer. That of
            the paper has none, and short trainings then end in a collapse.
        crop_scale: least and greatest area of the random crop of a view, as a share of the image.
        color_strength: of the colour jitter: brightness, contrast and saturation change by up to
            0.8 times, hue by up to 0.2 times this.
        grayscale: share of the views that are grey.
        blur: share of the views that are blurred; 0 for images of 32 pixels, 0.5 for photographs.

    Raises:
        UserError: for settings out of range.

    Example:
        task = MoCo()
        model = task.build_model(rotkeras.backbones.nin(blocks=4))
        model.compile("sgd", task.loss(), metrics=task.metrics())

    Reference:
        He et al., Momentum Contrast for Unsupervised Visual Representation Learning, CVPR 2020:
        algorithm 1, equations 1 and 2; Chen, Fan, Girshick, He, Improved Baselines with Momentum
        Contrastive Learning, 2020 (v2); Cai et al., Exponential Moving Average Normalization, CVPR
        2021.
    """

    spans_batch = False
    least_images_per_batch = 1
    images_input = "query"
    method = (
        "recognising an image's other view among keys of a moving average of the network (MoCo v2:"
        " He et al., CVPR 2020)"
    )

    @checked
    def __init__(
        self,
        temperature: Temperature = 0.2,
        momentum: Strength = 0.99,
        queue_size: Positive = 4096,
        hidden_units: Positive = 2048,
        projection_units: Positive = 128,
        head_batch_norm: bool = True,
        crop_scale: ShareRange = (0.2, 1.0),
        color_strength: Strength = 0.5,
        grayscale: Probability = 0.2,
        blur: Probability = 0.0,
    ) -> None:
        self.temperature = temperature
        self.momentum = momentum
        self.queue_size = queue_size
        self.hidden_units = hidden_units
        self.projection_units = projection_units
        self.head_batch_norm = head_batch_norm
        self.monitor = Monitor(
            "accuracy", "contrastive accuracy", "contrastive", chance=self.chance(1)
        )
        self.batch_divides = ("queue_size", queue_size)
        self.make_views(crop_scale, color_strength, grayscale, blur)

    def chance(self, images_per_batch: int) -> float:
        """The accuracy of a network that guesses one of the key and the queue."""
        return 1 / (1 + self.queue_size)

    def arranged(self, views: list[Tensor], library: Any) -> Any:
        """x: {"query": the first views (B, H, W, 3), "key": the second}."""
        return {"query": views[0], "key": views[1]}

    def labels(self, drawn: Any) -> Any:
        """y, on the host: int32 (B,), zeros: the first logit is the right one."""
        return no_labels(drawn)

    def build_model(self, backbone: Any, images: int | None = None) -> Any:
        """Backbone, pooling and projection head of queries; the key encoder; the queue.

        Args:
            backbone: a functional Keras model of uint8 images with a feature map (B, h, w, C) as
                its output.
            images: not used.

        Returns:
            A Keras model: {"query", "key"}, uint8 (B, H, W, 3) each -> float32 (B, 1 + queue_size),
            similarities over the temperature, that with the own key first.
        """
        self.check_backbone(backbone)
        import keras

        from rotkeras.backbones.input_shape import with_input_shape
        from rotkeras.pretext.heads import mlp, pool
        from rotkeras.pretext.layers import Follower, Queue
        from rotkeras.pretext.losses.info_nce import logits_of

        shape = backbone.input_shape[1:]
        of_queries = with_input_shape(backbone, shape, name="query")
        units, norm = self.projection_units, "hidden" if self.head_batch_norm else "none"
        pooled = pool(of_queries)
        projected = mlp(pooled, [self.hidden_units], units, "projection", backbone, norm=norm)
        queries = keras.layers.UnitNormalization(name="unit", dtype="float32")(projected)
        projector = keras.Model(of_queries.input, queries, name="projector")
        images_of_keys = keras.Input(shape, dtype="uint8", name="key")
        keys = Follower(projector, self.momentum, name="key_encoder")(images_of_keys)
        negatives = Queue(self.queue_size, units, name="queue")(keys)
        return keras.Model(
            {"query": of_queries.input, "key": images_of_keys},
            logits_of(queries, keys, negatives, self.temperature),
            name="moco",
        )

    def criterion(self) -> Any:
        """InfoNCE (equation 1), of logits."""
        from rotkeras.pretext.first_of_logits import InfoNCE

        return InfoNCE()

    def metrics(self) -> list[Any]:
        """The share of queries that are more similar to their key than to all of the queue."""
        from rotkeras.pretext.first_of_logits import FirstOfRow

        return [FirstOfRow(name="accuracy")]
