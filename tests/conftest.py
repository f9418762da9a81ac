"""Shared by all tests: quiet TensorFlow, real small images."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pytest


def pytest_collection_modifyitems(items):
    """The longest files first, so that two workers end together."""
    longest = ("test_resume.py", "test_train.py", "test_devices.py", "test_callbacks.py")
    items.sort(key=lambda item: longest.index(item.path.name) if item.path.name in longest else len(longest))


@pytest.fixture(scope="session")
def digit_source():
    """The real digits, 16 × 16, split into train, validation and test."""
    from rotkeras.data import load

    return load("digits", image_size=16, validation_fraction=0.2)


@pytest.fixture
def random_images():
    """Noise: every pixel differs, so a wrong turn or crop cannot go unseen."""
    return np.random.default_rng(0).integers(0, 256, (6, 12, 12, 3), dtype=np.uint8)


@pytest.fixture
def small_backbone():
    from rotkeras.backbones import nin

    return nin(blocks=3, width=1 / 24, input_shape=(16, 16, 3))
