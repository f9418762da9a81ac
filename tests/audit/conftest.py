"""Real pictures and what goes wrong with them, for the tests of this folder."""

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_sample_image


@pytest.fixture(scope="session")
def crops():
    """Eighty crops of two photographs, 40 × 40: uint8 (80, 40, 40, 3), every second one of a
    flower."""
    random = np.random.default_rng(0)
    photographs = [
        np.asarray(Image.fromarray(load_sample_image(name)).resize((320, 213)))
        for name in ("china.jpg", "flower.jpg")
    ]
    found = []
    for number in range(80):
        top, left = random.integers(0, 213 - 40), random.integers(0, 320 - 40)
        found.append(photographs[number % 2][top : top + 40, left : left + 40])
    return np.stack(found)


@pytest.fixture(scope="session")
def smooth():
    """Six hundred pictures without an up: soft noise of 24 × 24, the same in every direction; uint8
    (600, 24, 24, 3)."""
    random = np.random.default_rng(1)
    # Between its two passes Pillow rounds, and the residue tells the rotation by it: here nothing
    # is rounded before the end.
    position = np.linspace(0, 5, 24)[:, None] - np.arange(6)
    weight = np.maximum(0, 1 - np.abs(position))
    small = random.uniform(0, 255, (600, 3, 6, 6))
    return np.rint(weight @ small @ weight.T).astype(np.uint8).transpose(0, 2, 3, 1)
