"""A small task of tiles, for the tests: where the second of two tiles lies."""

import numpy as np

from rotkeras.pretext import ShortcutViews

NAMES = ("up left", "up", "up right", "left", "right", "down left", "down", "down right")
OFFSETS = [(down, right) for down in range(3) for right in range(3) if (down, right) != (1, 1)]


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
        tiles = {}
        for down in range(3):
            for right in range(3):
                top, left = down * cell + margin, right * cell + margin
                tiles[down, right] = images[:, top : top + side, left : left + side]
        pairs = np.stack(
            [np.stack([tiles[1, 1], tiles[place]], axis=1) for place in OFFSETS], axis=1
        )
        if self.grey:
            pairs = pairs.mean(axis=-1, keepdims=True).astype(np.uint8).repeat(3, axis=-1)
        if self.standardize:
            axes = (3, 4, 5)
            mean, spread = pairs.mean(axis=axes, keepdims=True), pairs.std(axis=axes, keepdims=True)
            pairs = (pairs - mean) / np.maximum(spread, 1) * 50 + 128
            pairs = np.clip(pairs, 0, 255).astype(np.uint8)
        labels = np.tile(np.arange(8), len(images))
        views = pairs.reshape(-1, 2, *pairs.shape[3:])
        return (ShortcutViews("position of the second tile", views, labels, NAMES, beside=True),)
