"""What tasks of augmented views of each image share: their views, and what is kept."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from rotkeras.arguments.accepted import Fraction
from rotkeras.arguments.checked import checked
from rotkeras.data.blur import gaussian_blur
from rotkeras.data.color import color_jitter, random_grayscale
from rotkeras.data.keyed import Key
from rotkeras.data.resized_crop import random_resized_crop
from rotkeras.errors import UserError, must
from rotkeras.pretext.augmented_views import AugmentedViews, interleaved, library_of
from rotkeras.pretext.base import Monitor
from rotkeras.pretext.graph import tensor_of
from rotkeras.pretext.no_labels import no_labels
from rotkeras.pretext.shortcut_views import ShortcutViews

Tensor = Any


class AugmentedTask:
    """The base of tasks that compare augmented views of each image.

    A task calls `keep_augmentations` in its constructor and sets `augmented`, the
    `AugmentedViews` of an image. It has `build_model`, `criterion`, `metrics`, `method`, `monitor`
    and `chance`. The model that it builds has a layer `pool` on the backbone, and a layer
    `projection`, whose output may collapse.
    """

    in_numpy = True
    in_step = True
    least_images_per_batch = 1
    spans_batch = False
    smooths_labels = False
    class_names: Sequence[str] | None = None
    joint_embedding = True
    images_input: str | None = None
    """The input of the model that is given the whole views; None where there is one input."""
    monitor: Monitor
    augmented: AugmentedViews

    def keep_augmentations(
        self, crop_scale: Sequence[float], color_strength: float, grayscale: float, blur: float
    ) -> None:
        """Keep the settings of the augmentations, which `steps` reads."""
        self.crop_scale = (crop_scale[0], crop_scale[1])
        self.color_strength = color_strength
        self.grayscale = grayscale
        self.blur = blur

    def steps(self, size: int | None = None, crop_scale: Any = None) -> list[Any]:
        """The augmentations of a view.

        Args:
            size: pixels of each side; None for those of the images.
            crop_scale: in place of that of the settings.
        """
        strong, weak = 0.8 * self.color_strength, 0.2 * self.color_strength
        steps: list[Any] = [random_resized_crop(size=size, scale=crop_scale or self.crop_scale)]
        if self.color_strength:
            steps.append(color_jitter(strong, strong, strong, weak))
        if self.grayscale:
            steps.append(random_grayscale(self.grayscale))
        if self.blur:
            steps.append(gaussian_blur(probability=self.blur))
        return steps

    def views_per_image(self) -> float:
        """The number of augmented views, each of the size of an image."""
        return len(self.augmented.steps)

    def views(self, images: Tensor, key: Key) -> tuple[Any, Any]:
        """The augmented views of each image, inside `tf.data` or in NumPy.

        Args:
            images: uint8 (B, H, W, 3), a tensor or an array.
            key: what randomness is a function of.

        Returns:
            (x, y): x as `arranged` makes it of the views; y the labels of all views, int32 (B·V,),
            or (B,) where an image has one.
        """
        return self.views_of_photographs(lambda crop, of_crop: crop(images, of_crop), key)

    def views_of_photographs(self, cut: Callable[[Any, Key], Any], key: Key) -> tuple[Any, Any]:
        """The same views, whose crops are cut from photographs that stay encoded.

        Args:
            cut: (crop, key) -> uint8 (B, H, W, 3), the crops of the images that are meant; the crop
                is a `rotkeras.data.augmentation.random_resized_crop`.
            key: as for `views`.
        """
        return self._made(self.augmented.of_photographs(cut, key), key)

    def _made(self, views: list[Tensor], key: Key) -> tuple[Any, Any]:
        library = library_of(views[0])
        labels = self.labels(key.index)
        return self.arranged(views, library), library.reshape(labels, (-1,))

    def arranged(self, views: list[Tensor], library: Any) -> Any:
        """x of the views."""
        return interleaved(views, library)

    def draw(self, key: Key) -> Any:
        """What is random, drawn on the host: int32 (B, D)."""
        return self.augmented.draw(key)

    def labels(self, drawn: Any) -> Any:
        """y, on the host: int32 (B,), 0: no label is used. `drawn` is of any shape (B, …)."""
        return no_labels(drawn)

    def apply(self, images: Tensor, drawn: Tensor) -> Any:
        """The views as `views` makes them, inside the step by `keras.ops`, within three grey
        levels: uint8 (B, H, W, 3) -> x."""
        from keras import ops

        return self.arranged(self.augmented.apply(images, drawn), ops)

    def shortcut_views(self, images: NDArray[np.uint8], key: Key) -> tuple[ShortcutViews, ...]:
        """Two views of each image for an audit, which asks which of them are of one image. A task
        of one view compares it with those of earlier epochs: here, with that of the next one.

        Args:
            images: uint8 (B, H, W, 3).
            key: what randomness is a function of.
        """
        two = AugmentedViews(self.augmented.steps[:2], self.augmented.first)
        views = two.of_images(images, key)
        if len(views) == 1:
            views += two.of_images(images, key._replace(epoch=key.epoch + 1))
        return (ShortcutViews("views of one image", np.stack(views, axis=1)),)

    def check_backbone(self, backbone: Any) -> None:
        """Raise a `UserError` for what is no Keras model."""
        import keras

        if not isinstance(backbone, keras.Model):
            raise must("backbone", "be a Keras model", backbone)

    def network(self, model: Any) -> Any:
        """The backbone without heads: uint8 (B, H, W, 3) -> feature map."""
        import keras

        images, pooled = self._whole(model, "pool")
        return keras.Model(images, _input_of(pooled), name="backbone")

    def embedder(self, model: Any) -> Any:
        """What the loss compares, of one image: uint8 (B, H, W, 3) -> float32 (B, d)."""
        import keras

        return keras.Model(*self._whole(model, "projection"), name="embedder")

    def _whole(self, model: Any, layer: str) -> tuple[Any, Any]:
        """(the input of whole views, the output of a layer for it)."""
        return tensor_of(model, layer, self.images_input)

    @checked
    def loss(self, label_smoothing: Fraction = 0.0) -> Any:
        """The mean loss over the batch.

        Args:
            label_smoothing: 0; these losses have none.
        """
        if label_smoothing:
            raise UserError(
                f"train.label_smoothing must be 0 for {type(self).__name__}, got"
                f" {label_smoothing:g}; its loss has no labels to smooth."
            )
        return self.criterion()

    def criterion(self) -> Any:
        """The loss as a Keras object."""
        raise NotImplementedError

    def callbacks(self, images: Any) -> list[Any]:
        """An empty list: the task does nothing between epochs."""
        return []

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        names = inspect.signature(type(self)).parameters
        values = {name: getattr(self, name) for name in names}
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in values.items()
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """The task of a config."""
        return cls(**config)


def _input_of(tensor: Any) -> Any:
    """The tensor that a layer made this one of."""
    layer, node, _ = tensor._keras_history
    return layer._inbound_nodes[node].input_tensors[0]
