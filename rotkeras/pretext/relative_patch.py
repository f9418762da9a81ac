"""Predict where a tile lies beside the tile in the centre of an image (relative patch)."""

from typing import Any

import numpy as np

from rotkeras.arguments.accepted import Fraction, Positive, Probability, Strength, Views
from rotkeras.arguments.checked import checked
from rotkeras.data import draws
from rotkeras.data.keyed import Key
from rotkeras.pretext.augmented_views import beside, library_of
from rotkeras.pretext.base import Monitor
from rotkeras.pretext.pictures import Picture
from rotkeras.pretext.shortcut_views import POSITIONS
from rotkeras.pretext.tile_task import TileTask
from rotkeras.pretext.tiles import COUNT

Tensor = Any

_CENTRE = COUNT // 2
_NEIGHBOUR = 9_600 - 1
"""The stream of the neighbour that is drawn, beside those of the tiles."""


class RelativePatch(TileTask):
    """The relative patch task: of two tiles of an image, the one in the centre of a grid of three
    by three and one of its eight neighbours, the network predicts where the neighbour lies.

    Args:
        pairs: "all" shows the eight pairs of each image, and each of its nine tiles passes through
            the backbone once; "one" draws one neighbour for each image.
        gap: what is left of a cell's side beside its tile, as a share of it; a tile has 1 − gap of
            the side of a cell, which is a third of the image's.
        jitter: how much of the gap tiles are moved by at random: 1 puts them anywhere in their
            cells, 0 in the middle, so that neighbours are exactly the gap apart.
        grayscale: share of the images that are grey.
        color_dropping: share of the tiles of which two of the three colours are replaced by noise
            around the mean of the third.
        standardize: give each tile the same mean and deviation.
        embedding_units: length of the embedding of a tile.
        hidden_units: units of the hidden layer on a pair of embeddings.

    Raises:
        UserError: for settings out of range. Later, for images whose tiles have less than 4 pixels.

    Example:
        task = RelativePatch()
        model = task.build_model(rotkeras.backbones.nin(blocks=4))
        model.compile("adam", task.loss(), metrics=task.metrics())

    Reference:
        Doersch, Gupta, Efros, Unsupervised Visual Representation Learning by Context Prediction,
        ICCV 2015, section 3; with the tiles and pairs of the published code of Kolesnikov, Zhai,
        Beyer, Revisiting Self-Supervised Visual Representation Learning, CVPR 2019 (embeddings of
        1000 units there).
    """

    method = "predicting the relative position of patches (Doersch, Gupta, Efros, ICCV 2015)"
    monitor = Monitor("accuracy", "patch position accuracy", "position", chance=1 / len(POSITIONS))

    @checked
    def __init__(
        self,
        pairs: Views = "all",
        gap: Fraction = 0.25,
        jitter: Strength = 1.0,
        grayscale: Probability = 0.66,
        color_dropping: Probability = 0.0,
        standardize: bool = True,
        embedding_units: Positive = 256,
        hidden_units: Positive = 512,
    ) -> None:
        self.pairs = pairs
        self.embedding_units = embedding_units
        self.hidden_units = hidden_units
        self.keep_tiles(gap, jitter, grayscale, color_dropping, standardize)
        self.tiles_per_image = COUNT if pairs == "all" else 2

    def views(self, images: Tensor, key: Key) -> tuple[Tensor, Tensor]:
        """The tiles of each image and where its neighbours lie, inside `tf.data` or in NumPy.

        Args:
            images: uint8 (B, H, W, 3), a tensor or an array.
            key: what randomness is a function of.

        Returns:
            (x, y): x uint8 (9B, h, w, 3), the nine tiles of an image side by side; y int32 (8B,),
            the positions of its eight neighbours. With pairs="one" (2B, h, w, 3), the tile in the
            centre and then the neighbour, and (B,).
        """
        drawn, library = self.draw(key), library_of(images)
        tiles = self.tiles.of_images(images, drawn, self._chosen(drawn, library))
        return tiles, library.reshape(self.labels(drawn), (-1,))

    def draw(self, key: Key) -> Any:
        """What is random, drawn on the host: int32 (B, D); last the neighbour, where one is
        drawn."""
        of_tiles = self.tiles.draw(key)
        if self.pairs == "all":
            return of_tiles
        return beside([of_tiles, draws.draw(key, (_NEIGHBOUR, len(POSITIONS)))])

    def labels(self, drawn: Any) -> Any:
        """y of the views that `apply` makes, on the host: int32 (B, 8), or (B,) for one
        neighbour."""
        if self.pairs == "one":
            return drawn[:, -1]
        count = len(POSITIONS)
        if isinstance(drawn, np.ndarray):
            return np.tile(np.arange(count, dtype=np.int32), (len(drawn), 1))
        import tensorflow as tf

        labels = tf.tile(tf.range(count)[None], [tf.shape(drawn)[0], 1])
        return tf.ensure_shape(labels, (drawn.shape[0], count))

    def apply(self, images: Tensor, drawn: Tensor) -> Tensor:
        """The views as `views` makes them, inside the step by `keras.ops`, within one grey level:
        uint8 (B, H, W, 3) -> (9B, h, w, 3) or (2B, h, w, 3)."""
        from keras import ops

        return self.tiles.apply(images, drawn, self._chosen(drawn, ops))

    def build_model(self, backbone: Any, images: int | None = None) -> Any:
        """Backbone, global average pooling and an embedding of each tile, and two dense layers on
        pairs of embeddings.

        Args:
            backbone: a functional Keras model of uint8 images (B, H, W, 3) with a feature map as
                its output; it must take tiles too.
            images: not used.

        Returns:
            A Keras model, flat: uint8 (9B, h, w, 3) -> logits (8B, 8), or (2B, h, w, 3) -> (B, 8).
        """
        import keras

        from rotkeras.pretext.heads import mlp
        from rotkeras.pretext.layers import PairsWithCentre

        tiles, embeddings = self.features(backbone, self.embedding_units)
        centre = _CENTRE if self.pairs == "all" else 0
        pairs = PairsWithCentre(centre, name="pairs", dtype="float32")(embeddings)
        logits = mlp(pairs, [self.hidden_units], len(POSITIONS), "position", backbone)
        return keras.Model(tiles, logits, name="relative_patch")

    def pictures(self, model: Any, images: Any, seed: int) -> list[Picture]:
        """How often neighbours of each position are taken for those of another.

        Args:
            model: as `build_model` returned it, trained.
            images: `rotkeras.data.Images`.
            seed: of the images and of the views.
        """
        _, labels, predicted = self.predictions(model, images, seed)
        counts = np.zeros((len(POSITIONS), len(POSITIONS)), np.int64)
        np.add.at(counts, (labels, predicted), 1)
        caption = (
            f"Where {counts.sum():,} tiles lie beside the tile in the centre of their image, and"
            f" where the network puts them: {100 * np.trace(counts) / counts.sum():.1f} % are"
            " right, and 12.5 % would be by chance."
        )
        return [Picture("positions", caption, counts=counts, class_names=POSITIONS)]

    def _chosen(self, drawn: Tensor, library: Any) -> Tensor | None:
        """The centre and the neighbour that is drawn: int32 (B, 2); None for all tiles."""
        if self.pairs == "all":
            return None
        position = drawn[:, -1]
        # The centre itself is no neighbour.
        later = position >= _CENTRE
        later = later.astype(np.int32) if library is np else library.cast(later, "int32")
        return library.stack([_CENTRE + 0 * position, position + later], axis=1)
