"""Predict in which order the tiles of an image were put (jigsaw puzzles)."""

from typing import Any

import numpy as np

from rotkeras.arguments.accepted import Classes, Fraction, Positive, Probability, Strength
from rotkeras.arguments.checked import checked
from rotkeras.data import draws
from rotkeras.data.keyed import Key
from rotkeras.pretext.augmented_views import beside, library_of
from rotkeras.pretext.base import Monitor
from rotkeras.pretext.permutations import permutation_set
from rotkeras.pretext.pictures import Picture
from rotkeras.pretext.tile_task import TileTask
from rotkeras.pretext.tiles import COUNT

Tensor = Any

_ORDERS = 9_700
"""The first stream of the permutations, beside those of the tiles."""


class Jigsaw(TileTask):
    """The jigsaw task: the nine tiles of an image are put in one of a set of orders, and the
    network predicts which. Each tile passes through the backbone once; its embedding is put in
    several orders.

    Args:
        permutations: orders of the set, which are the classes, as different from each other as can
            be.
        permutations_per_image: orders in which the tiles of each image are shown.
        gap: what is left of a cell's side beside its tile, as a share of it; a tile has 1 − gap of
            the side of a cell, which is a third of the image's.
        jitter: how much of the gap tiles are moved by at random: 1 puts them anywhere in their
            cells, 0 in the middle, so that neighbours are exactly the gap apart.
        grayscale: share of the images that are grey.
        color_dropping: share of the tiles of which two of the three colours are replaced by noise
            around the mean of the third.
        standardize: give each tile the same mean and deviation.
        embedding_units: length of the embedding of a tile.
        hidden_units: units of the hidden layer on the nine embeddings.

    Raises:
        UserError: for settings out of range. Later, for images whose tiles have less than 4 pixels.

    Example:
        task = Jigsaw()
        model = task.build_model(rotkeras.backbones.nin(blocks=4))
        model.compile("adam", task.loss(), metrics=task.metrics())

    Reference:
        Noroozi, Favaro, Unsupervised Learning of Visual Representations by Solving Jigsaw Puzzles,
        ECCV 2016, section 3; with the tiles of the published code of Kolesnikov, Zhai, Beyer,
        Revisiting Self-Supervised Visual Representation Learning, CVPR 2019. There 8 of 100
        permutations are drawn for a batch, and put on all of its images; here each image has its
        own, which are a function of the seed, the epoch and the image.
    """

    method = "solving jigsaw puzzles (Noroozi, Favaro, ECCV 2016)"

    @checked
    def __init__(
        self,
        permutations: Classes = 64,
        permutations_per_image: Positive = 8,
        gap: Fraction = 0.25,
        jitter: Strength = 1.0,
        grayscale: Probability = 0.66,
        color_dropping: Probability = 0.0,
        standardize: bool = True,
        embedding_units: Positive = 256,
        hidden_units: Positive = 512,
    ) -> None:
        self.permutations = permutations
        self.permutations_per_image = permutations_per_image
        self.embedding_units = embedding_units
        self.hidden_units = hidden_units
        self.keep_tiles(gap, jitter, grayscale, color_dropping, standardize)
        self.monitor = Monitor(
            "accuracy", "permutation accuracy", "permutation", chance=1 / permutations
        )

    def views(self, images: Tensor, key: Key) -> tuple[dict[str, Tensor], Tensor]:
        """The tiles of each image and some orders of them, inside `tf.data` or in NumPy.

        Args:
            images: uint8 (B, H, W, 3), a tensor or an array.
            key: what randomness is a function of.

        Returns:
            (x, y): x {"tiles": uint8 (9B, h, w, 3), those of an image side by side, in their true
            order, "orders": int32 (B, K, 9), which tile stands at each place}; y int32 (B·K,), the
            numbers of these permutations.
        """
        drawn, library = self.draw(key), library_of(images)
        labels = self.labels(drawn)
        orders = self._orders()[labels] if library is np else library.gather(self._orders(), labels)
        tiles = self.tiles.of_images(images, drawn)
        return {"tiles": tiles, "orders": orders}, library.reshape(labels, (-1,))

    def draw(self, key: Key) -> Any:
        """What is random, drawn on the host: int32 (B, D); last the permutations."""
        streams = range(_ORDERS, _ORDERS + self.permutations_per_image)
        drawn = draws.draw(key, *((stream, self.permutations) for stream in streams))
        return beside([self.tiles.draw(key), drawn])

    def labels(self, drawn: Any) -> Any:
        """y of the views that `apply` makes, on the host: int32 (B, K)."""
        return drawn[:, -self.permutations_per_image :]

    def apply(self, images: Tensor, drawn: Tensor) -> dict[str, Tensor]:
        """The views as `views` makes them, inside the step by `keras.ops`, tiles within one grey
        level."""
        from keras import ops

        orders = ops.take(ops.convert_to_tensor(self._orders()), self.labels(drawn), axis=0)
        return {"tiles": self.tiles.apply(images, drawn), "orders": orders}

    def build_model(self, backbone: Any, images: int | None = None) -> Any:
        """Backbone, global average pooling and an embedding of each tile, and two dense layers on
        the nine embeddings of an image in each of its orders.

        Args:
            backbone: a functional Keras model of uint8 images (B, H, W, 3) with a feature map as
                its output; it must take tiles too.
            images: not used.

        Returns:
            A Keras model, flat: {"tiles": uint8 (9B, h, w, 3), "orders": int32 (B, K, 9)} -> logits
            (B·K, permutations).
        """
        import keras

        from rotkeras.pretext.heads import mlp
        from rotkeras.pretext.layers import InOrders

        tiles, embeddings = self.features(backbone, self.embedding_units)
        orders = keras.Input((self.permutations_per_image, COUNT), dtype="int32", name="orders")
        rows = InOrders(name="in_orders", dtype="float32")(embeddings, orders)
        logits = mlp(rows, [self.hidden_units], self.permutations, "permutation", backbone)
        return keras.Model({"tiles": tiles, "orders": orders}, logits, name="jigsaw")

    def pictures(self, model: Any, images: Any, seed: int) -> list[Picture]:
        """Some images, their tiles in a wrong order, and as the network has put them.

        Args:
            model: as `build_model` returned it, trained.
            images: `rotkeras.data.Images`.
            seed: of the images and of the views.
        """
        from rotkeras.pretext.tile_pictures import MOST, solved_puzzles

        x, labels, predicted = self.predictions(model, images, seed)
        of_image = (slice(None, MOST), 0)  # the first order of each image
        shown, told = (
            self._orders()[each.reshape(-1, self.permutations_per_image)[of_image]]
            for each in (labels, predicted)
        )
        part = images.draw(len(labels) // self.permutations_per_image, seed)
        pixels = part.take(slice(0, len(shown)))
        tiles = x["tiles"].reshape(-1, COUNT, *x["tiles"].shape[1:])[: len(shown)]
        caption = (
            "Images, their tiles in the order that the network saw, and as it put them:"
            f" tiles at a wrong place have a red frame. Of {len(labels):,} puzzles"
            f" {100 * np.mean(labels == predicted):.1f} % are solved; by chance"
            f" {100 / self.permutations:.1f} % would be."
        )
        return [Picture("puzzles", caption, pixels=solved_puzzles(pixels, tiles, shown, told))]

    def _orders(self) -> Any:
        """The permutations: int32 (permutations, 9)."""
        return permutation_set(self.permutations)
