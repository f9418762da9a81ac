"""What tasks of tiles of an image share: their views, and what is kept."""

import inspect
from collections.abc import Sequence
from typing import Any, Self

from rotkeras.arguments.accepted import Fraction
from rotkeras.arguments.checked import checked
from rotkeras.data.keyed import Key
from rotkeras.errors import UserError, must
from rotkeras.pretext.base import Monitor
from rotkeras.pretext.graph import tensor_of
from rotkeras.pretext.shortcut_views import ShortcutViews, tile_pairs
from rotkeras.pretext.tile_colours import Colours
from rotkeras.pretext.tiles import COUNT, SIDE, Tiles

Tensor = Any

_INPUT = "tiles"
_PICTURED = 256
"""Most images that pictures count the answers for."""


class TileTask:
    """The base of tasks whose network sees tiles of an image, and tells how they lie.

    A task calls `keep_tiles` in its constructor. It has `draw`, `labels`, `views`, `apply`,
    `build_model`, `method`, `monitor`, and `tiles_per_image`, how many of the nine tiles pass
    through the backbone. Its model has the input "tiles" and a layer `pool` on the backbone.
    """

    in_numpy = True
    in_step = True
    joint_embedding = False
    whole_views = False
    class_names: Sequence[str] | None = None
    monitor: Monitor
    tiles_per_image = COUNT

    def keep_tiles(
        self,
        gap: float,
        jitter: float,
        grayscale: float,
        color_dropping: float,
        standardize: bool,
    ) -> None:
        """Keep the settings of the tiles, and make `tiles` of them."""
        self.gap = gap
        self.jitter = jitter
        self.grayscale = grayscale
        self.color_dropping = color_dropping
        self.standardize = standardize
        self.tiles = Tiles(gap, jitter, Colours(grayscale, color_dropping, standardize))

    def views_per_image(self) -> float:
        """The area of the tiles, in images. Sides are rounded down to whole pixels, so tiles of
        small images have less."""
        return self.tiles_per_image * ((1 - self.gap) / SIDE) ** 2

    def features(self, backbone: Any, embedding_units: int) -> tuple[Tensor, Tensor]:
        """(input of the tiles, embeddings of the tiles of each image (B, T, embedding_units)), of
        a backbone that is used for each tile once.

        Raises:
            UserError: for what is no Keras model, for images that are too small, and for a
                precision in which TensorFlow computes a wrong gradient for such small maps.
        """
        import keras

        from rotkeras.backbones.input_shape import with_input_shape
        from rotkeras.pretext.heads import mlp, pool
        from rotkeras.pretext.layers import TilesOfImage

        if not isinstance(backbone, keras.Model):
            raise must("backbone", "be a Keras model", backbone)
        whole = backbone.input_shape[1:]
        of_tiles = with_input_shape(backbone, self.tiles.shape(whole), name=_INPUT)
        _check_sixteen_bits(of_tiles)
        x = mlp(pool(of_tiles), [], embedding_units, "embedding", backbone, norm="all")
        x = keras.layers.ReLU(name="embedding_relu", dtype="float32")(x)
        beside = TilesOfImage(self.tiles_per_image, whole, name="of_image", dtype="float32")
        return of_tiles.input, beside(x)

    def network(self, model: Any) -> Any:
        """The backbone for whole images, with the weights that tiles have taught it: uint8 (B, H,
        W, 3) -> feature map."""
        import keras

        from rotkeras.backbones.input_shape import with_input_shape

        tiles, pooled = tensor_of(model, "pool", _INPUT)
        layer, node, _ = pooled._keras_history
        features = layer._inbound_nodes[node].input_tensors[0]
        return with_input_shape(
            keras.Model(tiles, features, name="backbone"),
            model.get_layer("of_image").image_shape,
            name="images",
        )

    @checked
    def loss(self, label_smoothing: Fraction = 0.0) -> Any:
        """Mean cross-entropy over all predictions of the batch, from logits and integer labels.

        Args:
            label_smoothing: share of the target spread evenly over the classes, 0 ≤ label_smoothing
                < 1.
        """
        import keras

        if label_smoothing == 0:
            return keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        from rotkeras.pretext.smoothed_crossentropy import SmoothedCrossentropy

        return SmoothedCrossentropy(label_smoothing)

    def metrics(self) -> list[Any]:
        """Accuracy over all predictions."""
        import keras

        return [keras.metrics.SparseCategoricalAccuracy(name="accuracy")]

    def callbacks(self, images: Any) -> list[Any]:
        """An empty list: the task does nothing between epochs."""
        return []

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """The task of a config."""
        return cls(**config)

    def predictions(self, model: Any, images: Any, seed: int) -> tuple[Any, Any, Any]:
        """(x, labels (N,), predicted labels (N,)) of the views of at most 256 images.

        Args:
            model: as `build_model` returned it, trained.
            images: `rotkeras.data.Images`.
            seed: of the images and of the views.
        """
        import keras
        import numpy as np

        part = images.draw(min(_PICTURED, len(images)), seed)
        found: list[tuple[Any, Any, Any]] = []
        for start in range(0, len(part), 32):
            some = slice(start, start + 32)
            key = Key(np.int64(seed), np.int64(0), part.rows[some])
            x, labels = self.views(part.take(some), key)
            logits = keras.ops.convert_to_numpy(model(x, training=False))
            found.append((x, labels, logits.argmax(axis=1)))
        x, labels, predicted = (
            keras.tree.map_structure(lambda *each: np.concatenate(each), *parts)
            for parts in zip(*found, strict=True)
        )
        return x, labels, predicted

    def shortcut_views(self, images: Any, key: Key) -> tuple[ShortcutViews, ...]:
        """The tile in the middle of each image beside each of the eight around it, and where that
        lies.

        Args:
            images: uint8 (B, H, W, 3), an array.
            key: what randomness is a function of.
        """
        tiles = self.tiles.of_images(images, self.tiles.draw(key))
        return tile_pairs(tiles.reshape(len(images), COUNT, *tiles.shape[1:]))

    def views(self, images: Tensor, key: Key) -> tuple[Any, Any]:
        """(x, y) of a batch of images."""
        raise NotImplementedError


def _check_sixteen_bits(of_tiles: Any) -> None:
    """Raise a `UserError` for a convolution with a step of 2 on a map of one row or column, in
    sixteen bits on a CPU: the gradient of the rows of its kernel that see zeros alone is then
    whatever lies in memory (TensorFlow 2.21)."""
    import keras

    if keras.backend.backend() != "tensorflow":
        return
    import tensorflow as tf

    if tf.config.list_physical_devices("GPU"):
        return
    for layer in of_tiles.layers:
        if not isinstance(layer, keras.layers.Conv2D) or not layer.compute_dtype.endswith("16"):
            continue
        height, width = layer._inbound_nodes[-1].input_tensors[0].shape[1:3]
        if max(layer.strides) > 1 and max(layer.kernel_size) > 1 and min(height, width) == 1:
            raise UserError(
                f"train.precision must be float32 for tiles of"
                f" {of_tiles.input_shape[1]}×{of_tiles.input_shape[2]} pixels with this backbone,"
                f" got {layer.dtype_policy.name}; its layer {layer.name} has a step of 2 on a map"
                f" of {height}×{width}, whose gradient TensorFlow computes wrongly in sixteen bits"
                " on a CPU. Or use a smaller gap or larger images."
            )
