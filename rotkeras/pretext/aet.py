"""Predict by which transformation an image was changed (AET)."""

import inspect
import itertools
from collections.abc import Sequence
from functools import cached_property
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Field

from rotkeras.arguments.accepted import Fraction, NotNegativeNumber, check_order
from rotkeras.arguments.checked import checked
from rotkeras.data.keyed import Key
from rotkeras.errors import UserError, must
from rotkeras.pretext import transformations
from rotkeras.pretext.augmented_views import interleaved
from rotkeras.pretext.base import Monitor
from rotkeras.pretext.pictures import Picture
from rotkeras.pretext.rotation import check_square
from rotkeras.pretext.shortcut_views import ShortcutViews
from rotkeras.pretext.warp import warp

Tensor = Any
AETKind = Literal["projective", "affine"]
HalfTurn = Annotated[float, Field(ge=0, le=180)]
Shear = Annotated[float, Field(ge=0, le=60)]
Shift = Annotated[float, Field(ge=0, lt=0.5)]
Zoom = Annotated[float, Field(ge=0.1, le=10)]
ZoomRange = Annotated[tuple[Zoom, Zoom], AfterValidator(check_order)]

_PUBLISHED: dict[str, dict[str, Any]] = {
    "affine": {"rotation": 180.0, "translation": 0.2, "scale": (0.7, 1.3), "shear": 30.0},
    "projective": {"corner_shift": 0.125, "scale": (0.8, 1.2), "quarter_turns": True},
}
_NUMBERS = {"affine": 5, "projective": 10}
"""Random numbers of each transformation; two more move the image by less than a pixel."""
_FIXED = 2**20
"""Matrices are drawn as integers in 1/1,048,576, so that both views and the parameters are of the
same numbers on the host and inside the step."""
_SAMPLE = 16_384
"""Transformations whose variances are those of all."""
_PICTURED = 8
_LAST = np.array([[[0, 0, 1]]], np.float32)
"""The last row of a translation."""


class AET:
    """The AET task: an image and a transformed copy pass through one network, and the parameters of
    the transformation are predicted from the features of both.

    Both views are resampled, and both are moved by the same fraction of a pixel, so that blur does
    not tell which was transformed.

    Args:
        kind: "projective" moves the four corners of the image, "affine" turns, moves, scales and
            shears it.
        rotation: largest angle in degrees, in both directions; of affine alone. None for the
            published 180.
        translation: largest, as a share of the side, along both; of affine alone. None for the
            published 0.2. From 0.5 on the image could leave the view.
        scale: least and greatest scale. None for the published ones, [0.7, 1.3] of affine and [0.8,
            1.2] of projective.
        shear: largest angle in degrees; of affine alone. None for the published 30.
        corner_shift: largest move of a corner, as a share of the side, along both; of projective
            alone. None for the published 0.125.
        quarter_turns: whether the corners are also turned by a drawn quarter; of projective alone.
            None for the published true.

    Raises:
        UserError: for settings out of range, of the other kind, or that draw nothing. Later,
            for images that are no squares.

    Example:
        task = AET()
        model = task.build_model(rotkeras.backbones.nin(blocks=4))
        model.compile("adam", task.loss(), metrics=task.metrics())

    Reference:
        Zhang, Qi, Wang, Luo, AET vs. AED: Unsupervised Representation Learning by Auto-Encoding
        Transformations rather than Data, CVPR 2019, sections 3 and 4.1.
    """

    in_numpy = True
    in_step = True
    smooths_labels = False
    joint_embedding = False
    class_names: Sequence[str] | None = None
    monitor = Monitor("explained", "explained variance", "explained", chance=0.0)
    method = (
        "predicting by which transformation an image was changed (AET: Zhang, Qi, Wang, Luo, CVPR"
        " 2019)"
    )

    @checked
    def __init__(
        self,
        kind: AETKind = "projective",
        rotation: HalfTurn | None = None,
        translation: Shift | None = None,
        scale: ZoomRange | None = None,
        shear: Shear | None = None,
        corner_shift: NotNegativeNumber | None = None,
        quarter_turns: bool | None = None,
    ) -> None:
        self.kind = kind
        self.rotation = rotation
        self.translation = translation
        self.scale = None if scale is None else (scale[0], scale[1])
        self.shear = shear
        self.corner_shift = corner_shift
        self.quarter_turns = quarter_turns
        given = {name: value for name, value in self.get_config().items() if value is not None}
        del given["kind"]
        other = next((name for name in given if name not in _PUBLISHED[kind]), None)
        if other is not None:
            mine = ", ".join(_PUBLISHED[kind])
            raise must(
                other, f"be None with kind {kind}", given[other], f"settings of {kind}: {mine}"
            )
        self._settings = {**_PUBLISHED[kind], **given}
        if kind == "projective":
            _check_corners(self._settings["corner_shift"], self._settings["scale"][0])
        if not transformations.varies(self.variances).any():
            raise must(
                "scale",
                "have ends that differ more where no other setting draws anything",
                [*self._settings["scale"]],
                "widen it, or another setting",
            )

    def views_per_image(self) -> int:
        """The image and its transformed copy: 2."""
        return 2

    def views(self, images: Tensor, key: Key) -> tuple[Tensor, Tensor]:
        """Each image and a transformed copy, inside `tf.data` or in NumPy.

        Args:
            images: uint8 (B, S, S, 3), square; a tensor or an array.
            key: what randomness is a function of.

        Returns:
            (x, y): x uint8 (2B, S, S, 3), an image and its copy side by side; y float32 (B, P), the
            parameters of each transformation: P = 6 of affine, the two rows of the matrix from the
            copy to the image, in units of half a side from the centre; P = 8 of projective, the
            numbers of the matrix whose last is 1, from the upper left corner, normalised as
            published. So they do not depend on the size of images.
        """
        check_square(images.shape[1:3], "AET")
        if isinstance(images, np.ndarray):
            drawn = self.draw(key)
            return self._made(images, drawn, np), self.labels(drawn)[:, 0]
        import tensorflow as tf

        def made(pixels: Any, *words: Any) -> Any:
            return self.views(pixels, Key(*words))

        x, y = tf.numpy_function(made, [images, *key[:3]], [tf.uint8, tf.float32], stateful=False)
        batch = images.shape[0]
        x = tf.ensure_shape(x, (None if batch is None else 2 * batch, *images.shape[1:]))
        return x, tf.ensure_shape(y, (batch, self.parameters))

    @property
    def parameters(self) -> int:
        """P, the numbers that are predicted."""
        return 6 if self.kind == "affine" else 8

    def draw(self, key: Key) -> Any:
        """What is random, drawn on the host: int32 (B, 11), the matrix from the copy to the image
        in 1/1,048,576, and the move of both."""
        if isinstance(key.index, np.ndarray):
            return self._draw(*key[:3])
        import tensorflow as tf

        drawn = tf.numpy_function(self._draw, [*key[:3]], tf.int32, stateful=False)
        return tf.ensure_shape(drawn, (key.index.shape[0], 11))

    def _draw(self, seed: Any, epoch: Any, index: Any) -> NDArray[np.int32]:
        count = _NUMBERS[self.kind]
        unit = transformations.uniform(Key(seed, epoch, np.asarray(index)), count + 2)
        make = getattr(transformations, self.kind)
        matrices = make(unit[:, :count], **self._settings).reshape(-1, 9)
        numbers = np.concatenate([matrices, unit[:, count:] - 0.5], axis=1)
        return np.asarray(np.rint(numbers * _FIXED), np.int32)

    def labels(self, drawn: Any) -> Any:
        """y of the views that `apply` makes, on the host: float32 (B, 1, P)."""
        if isinstance(drawn, np.ndarray):
            matrices = drawn[:, :9].reshape(-1, 3, 3) / _FIXED
            make = getattr(transformations, f"{self.kind}_parameters")
            return make(matrices).astype(np.float32)[:, None]
        import tensorflow as tf

        y = tf.numpy_function(self.labels, [drawn], tf.float32, stateful=False)
        return tf.ensure_shape(y, (drawn.shape[0], 1, self.parameters))

    def apply(self, images: Tensor, drawn: Tensor) -> Tensor:
        """The views as `views` makes them, inside the step by `keras.ops`, within three grey
        levels: uint8 (B, S, S, 3) -> (2B, S, S, 3)."""
        from keras import ops

        return self._made(images, drawn, ops)

    def _made(self, images: Tensor, drawn: Tensor, library: Any) -> Tensor:
        part = np.float32(1 / _FIXED)
        numbers = drawn.astype(np.float32) if library is np else library.cast(drawn, "float32")
        matrices = library.reshape(numbers[:, :9] * part, (-1, 3, 3))
        # The copy sees the moved image, so that its parameters are exact.
        moves = numbers[:, 9:] * (part * np.float32(2 / images.shape[1]))
        zero = 0 * moves[:, :1]
        to = library.concatenate([moves, zero], axis=1)[:, :, None]
        # Without a product of matrices, whose numbers GPUs round to 10 bits.
        both = (np.eye(3, dtype=np.float32) + to * _LAST, matrices + to * matrices[:, 2:])
        views = [warp(images, each, library) for each in both]
        return interleaved(views, library)

    def build_model(self, backbone: Any, images: int | None = None) -> Any:
        """Backbone, global average pooling, and a dense layer on the features of both views.

        Args:
            backbone: a functional Keras model of square uint8 images with a feature map (B, h, w,
                C) as its output.
            images: not used.

        Returns:
            A Keras model, flat: uint8 (2B, S, S, 3), an image and its copy side by side -> float32
            (B, P), the parameters.
        """
        import keras

        if not isinstance(backbone, keras.Model):
            raise must("backbone", "be a Keras model", backbone)
        check_square(backbone.input_shape[1:3], "AET")
        from rotkeras.pretext.heads import pool

        pooled = pool(backbone)
        both = keras.ops.reshape(pooled, (-1, 2 * pooled.shape[1]))
        found = keras.layers.Dense(self.parameters, name="parameters", dtype="float32")(both)
        return keras.Model(backbone.input, found, name="aet")

    def network(self, model: Any) -> Any:
        """The backbone without head: uint8 (B, S, S, 3) -> feature map."""
        import keras

        return keras.Model(model.input, model.get_layer("pool").input, name="backbone")

    @checked
    def loss(self, label_smoothing: Fraction = 0.0) -> Any:
        """The mean over pairs of half the squared distance of parameters and prediction.

        Args:
            label_smoothing: 0; the loss has no classes.
        """
        if label_smoothing:
            raise UserError(
                f"train.label_smoothing must be 0 for AET, got {label_smoothing:g}; its loss has no"
                " labels to smooth."
            )
        from rotkeras.pretext.transformation_losses import HalfSquaredDistance

        return HalfSquaredDistance()

    def metrics(self) -> list[Any]:
        """The share of the variance of the parameters that is explained."""
        from rotkeras.pretext.transformation_losses import ExplainedVariance

        return [ExplainedVariance(self.variances.tolist(), name="explained")]

    @cached_property
    def variances(self) -> NDArray[np.float64]:
        """Of each parameter, over a fixed sample of 16,384 transformations: float64 (P,)."""
        key = Key(np.int64(0), np.int64(0), np.arange(_SAMPLE))
        parameters = self.labels(self.draw(key))[:, 0].astype(np.float64)
        return np.asarray(np.var(parameters, axis=0))

    def callbacks(self, images: Any) -> list[Any]:
        """An empty list: the task does nothing between epochs."""
        return []

    def shortcut_views(self, images: Any, key: Key) -> tuple[ShortcutViews, ...]:
        """Each image beside its transformed copy, and the parameters of the transformation.

        Args:
            images: uint8 (B, S, S, 3), an array.
            key: what randomness is a function of.
        """
        x, y = self.views(images, key)
        pairs = x.reshape(len(images), 2, *x.shape[1:])
        asks = "parameters of the transformation"
        return (ShortcutViews(asks, pairs, parameters=y.astype(np.float64)),)

    def pictures(self, model: Any, images: Any, seed: int) -> list[Picture]:
        """The outlines of eight transformed images, as they are and as the model predicts them.

        Args:
            model: as `build_model` returned it, trained.
            images: `rotkeras.data.Images`.
            seed: of the eight images that are shown, and of the transformations.
        """
        from rotkeras.pretext.outline_picture import draw_outlines

        count = min(_PICTURED, len(images))
        part = images.draw(count, seed)  # the first ones may all be of one class
        key = Key(np.int64(seed), np.int64(0), part.rows, np.arange(count))
        x, y = self.views(part.take(slice(None)), key)
        predicted = model.predict(x, batch_size=len(x), verbose=0)
        make = getattr(transformations, f"{self.kind}_matrices")
        outlines = [
            transformations.outlines(make(np.asarray(each, np.float64))) for each in (y, predicted)
        ]
        caption = (
            "Transformed images with their true outline (green) and the predicted one (orange), and"
            " a dot at the upper left corner of the image: after good training they coincide."
        )
        return [Picture("outlines", caption, pixels=draw_outlines(x[1::2], *outlines))]

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        values = {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in values.items()
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "AET":
        """The task of a config."""
        settings = dict(config)
        if settings.get("scale") is not None:
            settings["scale"] = tuple(settings["scale"])
        return cls(**settings)


def _check_corners(shift: float, scale: float) -> None:
    """Raise a `UserError` for corners that move so far that a corner of the view could lie on the
    horizon of the image, where parameters are infinite, or beyond it."""
    ends = np.array(list(itertools.product((0.0, 1.0), repeat=8)))
    unit = np.concatenate([ends, np.zeros((len(ends), 2))], axis=1)
    # At its extremes, because the scale at a place changes in one direction with each move.
    fine = 2 * shift < scale / 2
    if fine:
        made = transformations.projective(unit, shift, (scale, scale), quarter_turns=False)
        fine = bool((np.einsum("bj,j->b", made[:, 2], [-1.0, -1.0, 1.0]) > 0).all())
    if not fine:
        raise must(
            "corner_shift",
            f"leave the image in view, less than about {0.158 * scale:.2f} with scale {scale:g}",
            shift,
            "lower it, or raise the least scale",
        )
