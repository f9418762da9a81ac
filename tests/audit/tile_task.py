"""A small task of tiles, for the tests: where the second of two tiles lies."""

import numpy as np

from rotkeras.pretext.shortcut_views import tile_pairs


class TilePairs:
    """The middle tile of a 3 × 3 grid and each of its neighbours.

    Args:
        gap: pixels between neighbouring tiles.
        grey: whether tiles are grey.
        standardize: whether each tile gets mean 128 and deviation 50.
    """

    def __init__(self, gap=0, grey=False, standardize=False):
        self.gap, self.grey, self.standardize = gap, grey, standardize

    def views(self, images, key):
        (asked,) = self.shortcut_views(images, key)
        return asked.views, asked.labels

    def shortcut_views(self, images, key):
        cell = images.shape[1] // 3
        side = cell - self.gap
        margin = self.gap // 2
        tops = [place * cell + margin for place in range(3)]
        tiles = np.stack(
            [images[:, top : top + side, left : left + side] for top in tops for left in tops],
            axis=1,
        )
        if self.grey:
            tiles = tiles.mean(axis=-1, keepdims=True).astype(np.uint8).repeat(3, axis=-1)
        if self.standardize:
            axes = (2, 3, 4)
            mean, spread = tiles.mean(axis=axes, keepdims=True), tiles.std(axis=axes, keepdims=True)
            tiles = (tiles - mean) / np.maximum(spread, 1) * 50 + 128
            tiles = np.clip(tiles, 0, 255).astype(np.uint8)
        return tile_pairs(tiles)
