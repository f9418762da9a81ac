"""Compare two views, and predict rotations of a third, smaller crop (E-SSL)."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rotkeras.arguments.accepted import (
    BaseTask,
    Fraction,
    NotNegativeNumber,
    Positive,
    Share,
    ShareRange,
)
from rotkeras.arguments.checked import checked
from rotkeras.data.keyed import Key
from rotkeras.errors import UserError, must, nearest
from rotkeras.pretext.augmented_views import AugmentedViews, beside, small_side
from rotkeras.pretext.base import OPTIONAL, Monitor
from rotkeras.pretext.graph import tensor_of
from rotkeras.pretext.rotation import Rotation, check_square
from rotkeras.pretext.shortcut_views import ShortcutViews
from rotkeras.pretext.two_views import TwoViews

Tensor = Any

_THIRD_VIEW = 1_000
"""The number of the view that is rotated, far from those of the base task, which may have small
crops too."""
_VIEWS, _ROTATIONS = "views", "rotations"
"""The inputs of the model, where the base task has one."""
_BASE, _ROTATION = "base", "rotation"
"""The outputs of the model."""
_ANY_SIDE = 8
"""Pixels of a crop whose numbers are drawn: they are shares of the sides, whatever its size."""


class ESSL:
    """The E-SSL task: a task of two views, whose embedding should not change with them, and beside
    it the rotation task on a third, smaller crop, through the same backbone. The features then
    also tell by how much an image was turned.

    The loss is that of the base task + rotation_weight · cross-entropy of the rotations. The kept
    network predicts rotations of whole images, as that of the rotation task does.

    Args:
        base: the name of a task of two views, such as simclr or simsiam.
        base_settings: settings of the base task that are not its defaults, such as {temperature:
            0.2}.
        rotation_weight: of the rotation loss.
        rotation_size: side of the crops that are rotated, as a share of the shorter side of the
            images.
        rotation_crop_scale: least and greatest area that they are cut from, as a share of the
            image; they have the colours of the base task's views.
        rotation_hidden_units: units of the two hidden layers of the rotation head.

    Raises:
        UserError: for settings out of range, and a base that is no task of two views. Later, for
            images whose crops to rotate have less than 8 pixels.

    Example:
        task = ESSL(base="simclr", base_settings={"temperature": 0.5})
        model = task.build_model(rotkeras.backbones.nin(blocks=4))
        model.compile("sgd", task.loss(), metrics=task.metrics())

    Reference:
        Dangovski, Jing, Loh, Han, Srivastava, Cheung, Agrawal, Soljačić, Equivariant Contrastive
        Learning, ICLR 2022: section 3, equation 2, appendix D (CIFAR-10, size 16 of 32, weight
        0.4).
    """

    in_numpy = True
    joint_embedding = True
    head = "rotation"
    angles = (0, 90, 180, 270)
    class_names = ("0°", "90°", "180°", "270°")
    monitor = Monitor("rotation_accuracy", "rotation accuracy", "rotation", chance=1 / 4)

    @checked
    def __init__(
        self,
        base: BaseTask = "simclr",
        base_settings: dict[str, Any] | None = None,
        rotation_weight: NotNegativeNumber = 0.4,
        rotation_size: Share = 0.5,
        rotation_crop_scale: ShareRange = (0.2, 1.0),
        rotation_hidden_units: Positive = 256,
    ) -> None:
        self.task = _base_task(base, base_settings or {})
        self.base = base
        self.base_settings = dict(base_settings or {})
        self.rotation_weight = rotation_weight
        self.rotation_size = rotation_size
        self.rotation_crop_scale = rotation_crop_scale
        self.rotation_hidden_units = rotation_hidden_units
        self.in_step = self.task.in_step
        for name in OPTIONAL:  # what the base task needs of the batch and of the images
            if name not in ("angles", "chance") and hasattr(self.task, name):
                setattr(self, name, getattr(self.task, name))
        if hasattr(self.task, "batch_divides"):
            setting, total = self.task.batch_divides
            self.batch_divides = (f"base_settings.{setting}", total)
        self.method = (
            f"predicting rotations of a smaller crop (E-SSL: Dangovski et al., ICLR 2022) beside"
            f" {self.task.method}"
        )
        self._rotation = Rotation()
        self._crops: dict[int, AugmentedViews] = {}

    def views_per_image(self) -> float:
        """Those of the base task, and four of rotation_size²: 3 for half of the side."""
        pairs: float = self.task.views_per_image()
        return pairs + len(self.angles) * self.rotation_size**2

    def views(self, images: Tensor, key: Key) -> tuple[dict[str, Any], dict[str, Any]]:
        """The views of the base task and four rotations of a third crop.

        Args:
            images: uint8 (B, H, W, 3), a tensor or an array.
            key: what randomness is a function of.

        Returns:
            (x, y): x {"views": x of the base task, or its names, "rotations": uint8 (4B, s, s, 3),
            those of an image side by side}; y {"base": y of the base task, "rotation": int32 (4B,),
            the position of each angle}.
        """
        crops = self._third(images.shape).of_images(images, key)[0]
        return self._joined(self.task.views(images, key), crops, key)

    def views_of_photographs(self, cut: Callable[[Any, Key], Any], key: Key) -> tuple[Any, Any]:
        """The same views, whose crops are cut from photographs that stay encoded; arguments as for
        `AugmentedTask.views_of_photographs`."""
        x, y = self.task.views_of_photographs(cut, key)
        whole = x if not isinstance(x, dict) else next(iter(x.values()))
        crops = self._third(whole.shape).of_photographs(cut, key)[0]
        return self._joined((x, y), crops, key)

    def examples(self, images: Tensor, key: Key) -> tuple[Tensor, Tensor]:
        """(rotated whole images, the position of each angle), as `Rotation.views` makes them: what
        the kept network is measured on."""
        return self._rotation.views(images, key)

    def shortcut_views(self, images: NDArray[np.uint8], key: Key) -> tuple[ShortcutViews, ...]:
        """What the base task asks, and the rotations of the third crop, for an audit; arguments as
        of `AugmentedTask.shortcut_views`."""
        crops = self._third(images.shape).of_images(images, key)[0]
        rotations = self._rotation.shortcut_views(crops, key)
        of_base: tuple[ShortcutViews, ...] = self.task.shortcut_views(images, key)
        return (*of_base, *rotations)

    def draw(self, key: Key) -> Any:
        """What is random, drawn on the host: int32 (B, D), the numbers of the base task, then of
        the third crop."""
        return beside([self.task.draw(key), self._crop(_ANY_SIDE).draw(key)])

    def labels(self, drawn: Any) -> dict[str, Any]:
        """y of the views that `apply` makes: {"base": those of the base task, "rotation": int32
        (B, 4)}."""
        # The base task may read its labels from its own columns.
        of_base = drawn[:, : -self._crop(_ANY_SIDE).width]
        return {_BASE: self.task.labels(of_base), _ROTATION: self._rotation.labels(drawn)}

    def apply(self, images: Tensor, drawn: Tensor) -> dict[str, Any]:
        """The views as `views` makes them, inside the step by `keras.ops`, within three grey
        levels."""
        third = self._third(images.shape)
        crops = third.apply(images, drawn[:, -third.width :])[0]
        x = self.task.apply(images, drawn[:, : -third.width])
        return {**_by_input(x), _ROTATIONS: self._rotation.apply(crops, None)}

    def build_model(self, backbone: Any, images: int | None = None) -> Any:
        """The model of the base task, and a head of rotations on the same backbone.

        Args:
            backbone: a functional Keras model of uint8 images with a feature map (B, h, w, C) as
                its output; it must take images of rotation_size too.
            images: number of training images, as the base task takes it.

        Returns:
            A Keras model: {"views": uint8 (2B, H, W, 3), or the inputs of the base task,
            "rotations": uint8 (4B, s, s, 3)} -> {"base": the base task's prediction, "rotation":
            logits (4B, 4)}.
        """
        self.task.check_backbone(backbone)
        import keras

        from rotkeras.backbones.input_shape import with_input_shape

        height, width, channels = backbone.input_shape[1:]
        check_square((height, width))
        whole = backbone
        if self.task.images_input is None:
            whole = with_input_shape(backbone, (height, width, channels), name=_VIEWS)
        pairs = self.task.build_model(whole, images)
        side = self._side((None, height, width, channels))
        crops = with_input_shape(backbone, (side, side, channels), name=_ROTATIONS)
        pooled = keras.layers.GlobalAveragePooling2D(name="rotation_pool")(crops.output)
        logits = pooled
        for layer in self._head():
            logits = layer(logits)
        inputs = pairs.input if isinstance(pairs.input, dict) else {_VIEWS: pairs.input}
        return keras.Model(
            {**inputs, _ROTATIONS: crops.input},
            {_BASE: pairs.output, _ROTATION: logits},
            name="essl",
        )

    def _head(self) -> list[Any]:
        """The layers from pooled features to one logit for each angle, two hidden ones with layer
        norm."""
        import keras

        layers: list[Any] = []
        for number in (1, 2):
            layers += [
                keras.layers.Dense(self.rotation_hidden_units, name=f"rotation_hidden{number}"),
                keras.layers.LayerNormalization(epsilon=1e-5, name=f"rotation_norm{number}"),
                keras.layers.ReLU(name=f"rotation_relu{number}"),
            ]
        return [*layers, keras.layers.Dense(len(self.angles), name=self.head, dtype="float32")]

    def network(self, model: Any) -> Any:
        """The flat classifier of whole images: uint8 (B, H, W, 3) -> logits (B, 4)."""
        import keras

        name = self.task.images_input or _VIEWS
        images, logits = tensor_of(model, "pool", name)
        for layer in self._head():
            logits = model.get_layer(layer.name)(logits)
        return keras.Model(images, logits, name="classifier")

    def embedder(self, model: Any) -> Any:
        """What the base task's loss compares, of one image: uint8 (B, H, W, 3) -> float32 (B,
        d)."""
        import keras

        name = self.task.images_input or _VIEWS
        return keras.Model(*tensor_of(model, "projection", name), name="embedder")

    @checked
    def loss(self, label_smoothing: Fraction = 0.0) -> dict[str, Any]:
        """{"base": the loss of the base task, "rotation": rotation_weight · mean cross-entropy over
        the four rotations}; `fit` minimises their sum.

        Args:
            label_smoothing: 0.
        """
        if label_smoothing:
            raise UserError(
                f"train.label_smoothing must be 0 for ESSL, got {label_smoothing:g}; the loss of"
                " its base task has no labels to smooth."
            )
        from rotkeras.pretext.weighted_crossentropy import WeightedCrossentropy

        return {_BASE: self.task.loss(), _ROTATION: WeightedCrossentropy(self.rotation_weight)}

    def metrics(self) -> dict[str, list[Any]]:
        """{"base": the metrics of the base task, "rotation": [accuracy]}, logged as base_accuracy
        and rotation_accuracy."""
        import keras

        return {
            _BASE: self.task.metrics(),
            _ROTATION: [keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
        }

    def callbacks(self, images: Any) -> list[Any]:
        """Those of the base task."""
        made: list[Any] = self.task.callbacks(images)
        return made

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {
            "base": self.base,
            "base_settings": self.base_settings,
            "rotation_weight": self.rotation_weight,
            "rotation_size": self.rotation_size,
            "rotation_crop_scale": list(self.rotation_crop_scale),
            "rotation_hidden_units": self.rotation_hidden_units,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "ESSL":
        """The task of a config."""
        return cls(**config)

    def _side(self, shape: Any) -> int:
        """Pixels of each side of the crops to rotate, of images (B, H, W, 3)."""
        return small_side("rotation_size", self.rotation_size, shape[1:])

    def _third(self, shape: Any) -> AugmentedViews:
        return self._crop(self._side(shape))

    def _crop(self, side: int) -> AugmentedViews:
        """The crop that is rotated."""
        if side not in self._crops:
            steps = self.task.steps(side, self.rotation_crop_scale)
            self._crops[side] = AugmentedViews([steps], first=_THIRD_VIEW)
        return self._crops[side]

    def _joined(
        self, pairs: tuple[Any, Any], crops: Tensor, key: Key
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        x, y = pairs
        rotated, turns = self._rotation.views(crops, key)
        return {**_by_input(x), _ROTATIONS: rotated}, {_BASE: y, _ROTATION: turns}


def _by_input(x: Any) -> dict[str, Any]:
    """x of the base task by the names of the inputs of the model."""
    return x if isinstance(x, dict) else {_VIEWS: x}


def _base_task(name: str, settings: Mapping[str, Any]) -> Any:
    """The task of two views by its name, with settings.

    Raises:
        UserError: for a name or settings that it does not have.
    """
    from rotkeras.pretext import NAMES

    of_views = {each: make for each, make in NAMES.items() if issubclass(make, TwoViews)}
    if name not in of_views:
        raise must("base", f"be one of {', '.join(of_views)}", name, nearest(name, of_views))
    import inspect

    known = inspect.signature(of_views[name]).parameters
    for key in settings:
        if key not in known:
            raise UserError(
                f"base_settings must be settings of {name}, got {key!r}; {nearest(key, known)}"
            )
    try:
        return of_views[name](**settings)
    except UserError as error:
        raise UserError(f"base_settings: {error}") from None
