"""What is Barlow Twins' own: its head, and that its settings arrive."""

import numpy as np
import pytest
from small_training import three_taps

from rotkeras.pretext import BarlowTwins
from rotkeras.pretext.losses import barlow_twins

VECTORS = np.random.default_rng(1).normal(size=(8, 4)).astype(np.float32)


def test_the_head_has_three_layers():
    model = BarlowTwins(hidden_units=8, projection_units=4).build_model(three_taps())
    dense = [each for each in model.layers if each.__class__.__name__ == "Dense"]
    assert [each.units for each in dense] == [8, 8, 4]
    assert [each.use_bias for each in dense] == [False, False, True]
    assert model.output_shape == (None, 4)


@pytest.mark.parametrize(("off_diagonal", "scale"), [(0.005, 0.1), (0.5, 1.0)])
def test_the_settings_of_the_loss_arrive(off_diagonal, scale):
    task = BarlowTwins(off_diagonal=off_diagonal, loss_scale=scale)
    expected = scale * float(barlow_twins(VECTORS, off_diagonal))
    assert float(task.loss()(np.zeros(8), VECTORS)) == pytest.approx(expected, rel=1e-5)


def test_second_views_are_solarized():
    task = BarlowTwins(crop_scale=(1.0, 1.0), color_strength=0.0, grayscale=0.0, solarize=1.0)
    from rotkeras.data.keyed import Key

    image = np.full((4, 8, 8, 3), 200, np.uint8)
    views, _ = task.views(image, Key(np.int64(0), np.int64(0), np.arange(4)))
    np.testing.assert_array_equal(views[0::2], image)
    np.testing.assert_array_equal(views[1::2], 255 - image)
