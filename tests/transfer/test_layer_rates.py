"""Learning rates of stages: one step of SGD moves a stage by decay^k of what one optimizer does."""

import keras
import numpy as np
import pytest
from small_transfer import drawn, strided

from rotkeras.backbones import taps
from rotkeras.transfer.classify.model import classifier
from rotkeras.transfer.detect.model import detector
from rotkeras.transfer.layer_rates import layer_rates

STAGE = {"0": 0, "1": 0, "2": 1, "3": 2, "4": 3}
"""Which tap of `strided` a convolution and its batch norm stand before."""

RATE = 0.01


@pytest.fixture(scope="module")
def encoder():
    return strided()


def images():
    return np.stack([np.asarray(drawn(number)[0].resize((64, 64))) for number in range(4)])


def classifier_batch():
    return images(), np.array([0, 1, 0, 1])


def detector_batch():
    boxes = np.array([drawn(number)[2] for number in range(4)], np.float32)[:, None] * 64 / 80
    return images(), {"boxes": boxes, "classes": np.array([[0.0], [1], [0], [1]], np.float32)}


def made(kind, encoder):
    if kind == "classifier":
        return (
            classifier(encoder, 2),
            classifier_batch(),
            {"loss": "sparse_categorical_crossentropy"},
        )
    losses = {"classification_loss": "focal", "box_loss": "smoothl1"}
    return detector(encoder, 2, channels=8, convolutions=1), detector_batch(), losses


def step(kind, encoder, decay):
    """{path of a weight: how far one step of SGD moves it}, and the optimizer."""
    model, batch, losses = made(kind, encoder)
    optimizer = layer_rates(
        model, taps.names(encoder), decay, lambda factor: keras.optimizers.SGD(RATE * factor)
    )
    model.compile(optimizer=optimizer, **losses)
    before = {each.path: np.array(each) for each in model.trainable_variables}
    model.fit(*batch, batch_size=4, verbose=0)  # the detector of keras-cv has no train_on_batch
    moved = {each.path: np.array(each) - before[each.path] for each in model.trainable_variables}
    return moved, optimizer


@pytest.mark.filterwarnings("ignore:The structure of `inputs`")
@pytest.mark.parametrize("kind", ["classifier", "detector"])
def test_a_stage_moves_by_its_power_of_the_decay(kind, encoder, eagerly):
    one, plain = step(kind, encoder, 1.0)
    other, several = step(kind, encoder, 0.5)
    assert type(plain) is keras.optimizers.SGD
    assert type(several) is keras.optimizers.MultiOptimizer
    assert one.keys() == other.keys()
    stages = set()
    for path, moved in one.items():
        layer = path.split("/")[-2]
        number = STAGE.get(layer[-1]) if layer.startswith(("conv", "norm")) else None
        factor = 1.0 if number is None else 0.5 ** (3 - number)
        stages.add(factor)
        # P7 is one cell, which the small shapes teach nothing.
        assert np.abs(moved).max() > 0 or "p7" in path, path
        np.testing.assert_allclose(
            other[path], factor * moved, rtol=1e-3, atol=2e-4 * np.abs(moved).max(), err_msg=path
        )
    assert stages == {1.0, 0.5, 0.25, 0.125}


def test_layers_behind_the_last_tap_have_the_whole_rate():
    inner = strided(32)
    x = keras.layers.Conv2D(4, 1, name="behind")(inner.output)
    model = keras.Model(inner.input, x)
    factors = []

    def make(factor):
        factors.append(factor)
        return keras.optimizers.SGD(factor)

    optimizer = layer_rates(model, taps.names(inner), 0.1, make)
    assert factors == pytest.approx([0.001, 0.01, 0.1, 1.0])
    optimizer.build(model.trainable_variables)
    before = {each.path: np.array(each) for each in model.trainable_variables}
    optimizer.apply([keras.ops.ones(each.shape) for each in model.trainable_variables])
    moved = {each.path: np.array(each) - before[each.path] for each in model.trainable_variables}
    np.testing.assert_allclose(moved["behind/kernel"], -1)
    np.testing.assert_allclose(moved["conv0/kernel"], -0.001, rtol=1e-3)
    np.testing.assert_allclose(moved["conv4/kernel"], -1, rtol=1e-5)
