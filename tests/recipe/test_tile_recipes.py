"""The published recipes of tasks of tiles."""

import numpy as np
import pytest

from rotkeras import recipe
from rotkeras.data.keyed import Key
from rotkeras.training.build import build_augmentation


@pytest.mark.parametrize("name", ["relative_patch-paper", "jigsaw-paper"])
def test_tiles_are_of_crops_of_255_of_292_pixels_whatever_the_shape(name):
    """The published code resizes to 292×292 pixels and crops 255×255 of them at random."""
    (crop,) = build_augmentation(recipe.load(name))
    sides = np.tile(np.array([[375, 500]], np.int32), (100, 1))
    boxes, flips = crop.boxes(Key(np.int64(0), np.int64(0), np.arange(100)), sides)
    np.testing.assert_allclose(boxes[:, 2:], 255 / 292, atol=1e-4)
    assert len(np.unique(boxes, axis=0)) == 100
    assert not flips.any()
