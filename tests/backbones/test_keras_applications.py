"""Image classifiers of keras.applications, each built, tapped and cut.

All forty are in docs/guides/choose_a_backbone.md; those that take longest to build are not here.
"""

import os

import keras
import numpy as np
import pytest

from rotkeras import taps
from rotkeras.backbones import keras_applications

HALVES = (48, 24, 12, 6, 3)
NETWORKS = {
    "MobileNetV2": HALVES,
    "MobileNetV3Large": HALVES,
    "VGG16": (96, *HALVES),
    "ConvNeXtTiny": HALVES[1:],
    "ConvNeXtSmall": HALVES[1:],
    "DenseNet121": HALVES,
    "EfficientNetB0": HALVES,
    "EfficientNetB1": HALVES,
    "EfficientNetB2": HALVES,
    "EfficientNetV2B0": HALVES,
    "EfficientNetV2B1": HALVES,
    "EfficientNetV2B2": HALVES,
    "InceptionV3": (47, 45, 22, 20, 9, 4, 1),
    "MobileNet": HALVES,
    "MobileNetV3Small": HALVES,
    "NASNetMobile": (47, 3),  # its cells take the outputs of two earlier ones
    "ResNet101": HALVES,
    "ResNet101V2": HALVES,
    "ResNet50": HALVES,
    "ResNet50V2": HALVES,
    "VGG19": (96, *HALVES),
    "Xception": (47, 45, 23, 12, 6, 3),
}
"""Sides of the maps of its taps, for images of 96 × 96."""

RUN = list(NETWORKS) if os.environ.get("ROTKERAS_ALL") else list(NETWORKS)[:3]


@pytest.mark.parametrize("name", RUN)
def test_it_is_built_tapped_and_cut(name):
    backbone = keras_applications(name, input_shape=(96, 96, 3))
    names = taps.names(backbone)
    assert tuple(taps.output(backbone, tap).shape[1] for tap in names) == NETWORKS[name]
    stock = getattr(keras.applications, name)(
        include_top=False, weights=None, input_shape=(96, 96, 3)
    )
    # Behind the last tap there is nothing that has weights.
    assert backbone.count_params() == stock.count_params()
    image = np.zeros((1, 96, 96, 3), np.uint8)
    for tap in (names[0], names[-1]):
        vectors = np.asarray(taps.cut(backbone, tap)(image))
        assert vectors.shape == (1, taps.output(backbone, tap).shape[-1])
        assert np.isfinite(vectors).all()
    keras.backend.clear_session()
