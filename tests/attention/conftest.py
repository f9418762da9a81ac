import keras
import numpy as np
import pytest


@pytest.fixture
def photographs(digit_source):
    """Real images with an up, 16 × 16."""
    return digit_source.validation.take(np.arange(6))


@pytest.fixture
def rotation_model(small_backbone):
    """A small rotation classifier with taps conv1, conv2, conv3."""
    from rotkeras.pretext import Rotation

    keras.utils.set_random_seed(0)
    return Rotation().build_model(small_backbone)


def by_hand(side=4, kernels=None, padding="same", name="conv1"):
    """A network of one convolution whose kernels are given: (k, k, 3, channels)."""
    kernels = np.asarray(kernels, np.float32)
    inputs = keras.Input((side, side, 3), dtype="uint8")
    x = keras.layers.Rescaling(1.0)(inputs)
    layer = keras.layers.Conv2D(
        kernels.shape[-1], kernels.shape[0], padding=padding, use_bias=False
    )
    x = layer(x)
    layer.set_weights([kernels])
    return keras.Model(inputs, keras.layers.Identity(name=name)(x))


@pytest.fixture
def network_by_hand():
    return by_hand
