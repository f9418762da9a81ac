import keras
import pytest

from rotkeras.recipe import validate
from rotkeras.training.notes import slow_statistics


def network(momentum):
    images = keras.Input((8, 8, 3), dtype="uint8")
    x = keras.layers.Rescaling(1 / 255)(images)
    x = keras.layers.BatchNormalization(momentum=0.5)(x)
    x = keras.layers.Conv2D(4, 3)(x)
    x = keras.layers.BatchNormalization(momentum=momentum)(x)
    return keras.Model(images, x)


@pytest.mark.parametrize(
    ("momentum", "steps", "share"),
    [(0.999, 185, "83 %"), (0.99, 100, "37 %"), (0.999, 3000, ""), (0.9, 30, "")],
)
def test_batch_norm_that_cannot_settle_is_said(momentum, steps, share):
    """By hand: 0.999 ** 185 = 0.831."""
    recipe = validate({"data": {"embedded": "digits"}, "train": {"epochs": 5}}, "test")
    lines = slow_statistics(recipe, steps // 5, network(momentum))
    assert len(lines) == bool(share)
    for line in lines:
        assert f"batch norm of momentum {momentum:g} keeps {share} of its first statistics" in line
        assert f"after {steps:,} steps" in line
