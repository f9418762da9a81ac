"""What is VICReg's own: that its settings arrive, and what its parts do to real images."""

import keras
import numpy as np
import pytest
from small_training import three_taps

from rotkeras import data
from rotkeras.pretext import VICReg
from rotkeras.pretext.losses import vicreg

VECTORS = np.random.default_rng(1).normal(size=(8, 4)).astype(np.float32)


@pytest.mark.parametrize("weights", [(25.0, 25.0, 1.0), (1.0, 2.0, 3.0)])
def test_the_settings_of_the_loss_arrive(weights):
    task = VICReg(*weights)
    expected = float(vicreg(VECTORS, *weights))
    assert float(task.loss()(np.zeros(8), VECTORS)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.long
def test_without_variance_and_covariance_the_embeddings_of_digits_shrink(digit_source):
    images, spread = digit_source.train.draw(64), {}
    for weights in ((25.0, 25.0, 1.0), (25.0, 0.0, 0.0)):
        task = VICReg(*weights, hidden_units=16, projection_units=8)
        keras.utils.set_random_seed(0)
        model = task.build_model(three_taps())
        model.compile(keras.optimizers.SGD(0.02, momentum=0.9), task.loss())
        batches = data.pipeline(images, task, images_per_batch=32, seed=0)
        model.fit(batches.dataset, steps_per_epoch=30, shuffle=False, verbose=0)
        made = model(images.take(slice(None)), training=True)
        spread[weights] = float(np.std(made, axis=0).mean())
    assert spread[25.0, 0.0, 0.0] < 0.2 < 0.5 < spread[25.0, 25.0, 1.0], spread
