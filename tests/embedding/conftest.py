"""Encoders and photographs for the tests of this folder."""

import numpy as np
import pytest
from PIL import Image

from rotkeras.embedding import Encoder

SIZE = 12


@pytest.fixture(scope="session")
def encoder_file(tmp_path_factory):
    """A small encoder of stock layers, 12 × 12 uint8 in, seven numbers out."""
    import keras

    keras.utils.set_random_seed(0)
    images = keras.Input((SIZE, SIZE, 3), dtype="uint8")
    x = keras.layers.Rescaling(1 / 255)(images)
    x = keras.layers.Conv2D(8, 3, strides=2, activation="relu")(x)
    x = keras.layers.Dense(7)(keras.layers.Flatten()(x))
    path = tmp_path_factory.mktemp("encoder") / "encoder.keras"
    keras.Model(images, x).save(path)
    return path


@pytest.fixture
def quick_encoder(tmp_path):
    """An encoder without Keras: the mean of each channel, and of each channel's upper half; four
    images in a pass."""

    def forward(images):
        assert images.shape == (4, SIZE, SIZE, 3)  # a pass is always a whole batch
        wide = images.astype(np.float32)
        return np.concatenate(
            [wide.mean(axis=(1, 2)), wide[:, : SIZE // 2].mean(axis=(1, 2))], axis=1
        )

    return Encoder(tmp_path / "quick.keras", SIZE, 6, 4, forward)


def noise(seed, width=40, height=30):
    """A photograph of soft noise, uint8 (height, width, 3)."""
    small = np.random.default_rng(seed).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC))


@pytest.fixture
def photographs(tmp_path):
    """Twelve photographs of several sizes and formats in three class folders; returns the
    folder."""
    folder = tmp_path / "photographs"
    for number in range(12):
        home = folder / ("cat", "dog", "owl")[number // 4]
        home.mkdir(parents=True, exist_ok=True)
        picture = Image.fromarray(noise(number, 40 + 2 * number, 30))
        picture.save(home / f"{number:02d}.{('jpg', 'png', 'webp', 'bmp')[number % 4]}")
    return folder
