"""Arguments of public methods, and arguments that must fit each other."""

from pathlib import Path

import numpy as np
import pytest
from right_arguments import features, images, labels, made

import rotkeras
from rotkeras import UserError

METHODS = {
    "Rotation.loss": (lambda: made.task.loss(1.0), "label_smoothing must be less than 1, got 1.0."),
    "InStep.loss": (
        lambda: rotkeras.pretext.InStep(made.task).loss("0.1"),
        "label_smoothing must be a number, got '0.1'.",
    ),
    "Images.of, a list": (
        lambda: rotkeras.data.Images.of([1, 2]), "array must be a uint8 array, got [1, 2]."
    ),
    "Images.of, floats": (
        lambda: rotkeras.data.Images.of(images / 255),
        "array must be a uint8 array, got a float64 array of shape (8, 16, 16, 3).",
    ),
    "Images.of, one image": (
        lambda: rotkeras.data.Images.of(images[0]),
        "array must have the axes (N, H, W, 3), got a uint8 array of shape (16, 16, 3).",
    ),
    "Images.of, names": (
        lambda: rotkeras.data.Images.of(images, np.array(["a"] * 8)),
        "labels must be whole numbers, got a str32 array of shape (8,); rotkeras.data.load takes"
        " names too.",
    ),
    "Images.of, few labels": (
        lambda: rotkeras.data.Images.of(images, labels[:3]),
        "labels must have one value for each of 8 images, got 3.",
    ),
    "ridge, few labels": (
        lambda: rotkeras.probes.ridge(features, labels[:3]),
        "labels must have one value for each of 8 rows of features, got 3.",
    ),
    "knn, few labels": (
        lambda: rotkeras.probes.knn(features, labels[:3]),
        "labels must have one value for each of 8 rows of features, got 3.",
    ),
    "Encoder.embed, floats": (
        lambda: an_encoder().embed(images / 255),
        "images must be a uint8 array (N, 16, 16, 3), got a float64 array of shape (8, 16, 16, 3);"
        " resize and convert them for the encoder encoder.keras.",
    ),
    "Encoder.embed, a list": (
        lambda: an_encoder().embed([1]),
        "images must be a uint8 array (N, 16, 16, 3), got [1]; resize and convert them for the"
        " encoder encoder.keras.",
    ),
    "Encoder.embed, another size": (
        lambda: an_encoder().embed(images[:, :8, :8]),
        "images must be a uint8 array (N, 16, 16, 3), got a uint8 array of shape (8, 8, 8, 3);"
        " resize and convert them for the encoder encoder.keras.",
    ),
    "load, test_folder": (
        lambda: rotkeras.data.load(images, test_folder="test"),
        "test_folder needs a folder as the source, got kind 'arrays'; remove test_folder.",
    ),
}  # fmt: skip
"""What several arguments must be together, and arguments of methods."""


def an_encoder():
    return rotkeras.embedding.Encoder(Path("encoder.keras"), 16, 4, 8, lambda batch: batch)


@pytest.mark.parametrize("name", METHODS)
def test_methods_and_arguments_that_go_together(name):
    call, words = METHODS[name]
    with pytest.raises(UserError) as error:
        call()
    assert str(error.value) == words


def test_a_model_without_taps_is_refused_by_name():
    import keras

    inputs = keras.Input((8, 8, 3), dtype="uint8")
    plain = keras.Model(inputs, keras.layers.Rescaling(1.0)(inputs), name="plain")
    for call in (
        lambda: rotkeras.backbones.taps.names(plain),
        lambda: rotkeras.backbones.taps.cut(plain, "conv1"),
        lambda: rotkeras.attention.activation_maps(plain, images[:, :8, :8]),
        lambda: rotkeras.probes.fit(plain, "ridge", made.images),
        lambda: rotkeras.export.parts_of(plain),
    ):
        with pytest.raises(
            UserError,
            match=r"The model 'plain' has no tap; put keras\.layers\.Identity\(name=…\) after each block whose features are to be read\.",
        ):
            call()
