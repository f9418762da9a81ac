import numpy as np
import pytest

from rotkeras.attention import equivariance_score, quadruples
from rotkeras.attention.equivariance import mean_correlation
from rotkeras.errors import UserError

EVERY_COLOUR = np.ones((1, 1, 3, 1))


def test_views_are_quarter_turns(random_images):
    views = quadruples(random_images)
    assert views.shape == (6, 4, 12, 12, 3)
    for image, four in zip(random_images, views, strict=True):
        for turns, view in enumerate(four):
            np.testing.assert_array_equal(view, np.rot90(image, turns))


@pytest.mark.parametrize(
    "spatial",
    [np.ones((1, 1)), np.array([[1, 2, 1], [2, -12, 2], [1, 2, 1]]), np.ones((5, 5))],
    ids=["1x1", "laplace", "box"],
)
def test_a_network_that_is_equivariant_by_construction_has_one(
    network_by_hand, random_images, spatial
):
    model = network_by_hand(12, spatial[:, :, None, None] * EVERY_COLOUR)
    assert equivariance_score(model, random_images)["conv1"] == pytest.approx(1.0, abs=1e-5)


def test_a_network_that_sees_one_direction_is_well_below(network_by_hand, random_images):
    across = np.array([[1, 0, -1], [2, 0, -2], [1, 0, -1]])[:, :, None, None] * EVERY_COLOUR
    assert equivariance_score(network_by_hand(12, across), random_images)["conv1"] < 0.6


def test_a_trained_like_backbone_is_between(rotation_model, photographs):
    scores = equivariance_score(rotation_model, photographs)
    assert list(scores) == ["conv1", "conv2", "conv3"]
    assert all(-1 <= score < 0.999 for score in scores.values())


def test_by_hand():
    a, b = np.array([[1.0, 0], [0, 0]]), np.array([[0.0, 0], [0, 1]])
    # Turned back they are a, a, a, b: three pairs correlate with 1, three with −1/3.
    maps = np.stack([np.rot90(each, turns) for turns, each in enumerate([a, a, a, b])])[None]
    assert mean_correlation(maps.astype(np.float32)) == pytest.approx((3 * 1 + 3 * -1 / 3) / 6)


def test_constant_maps_tell_nothing(network_by_hand):
    uniform = np.full((2, 12, 12, 3), 77, np.uint8)
    model = network_by_hand(12, EVERY_COLOUR)
    assert equivariance_score(model, uniform)["conv1"] is None
    telling = np.random.default_rng(0).integers(0, 256, (1, 12, 12, 3), dtype=np.uint8)
    assert equivariance_score(model, np.concatenate([uniform, telling]))["conv1"] == pytest.approx(
        1.0, abs=1e-5
    )


def test_a_constant_map_with_the_noise_of_rounding_is_constant():
    maps = np.full((1, 4, 8, 8), 1e6, np.float32) + np.random.default_rng(0).normal(
        0, 0.05, (1, 4, 8, 8)
    ).astype(np.float32)
    assert mean_correlation(maps) is None


def test_images_that_are_not_square():
    from rotkeras.backbones import nin

    model = nin(blocks=3, width=1 / 24, input_shape=(16, 12, 3))
    with pytest.raises(
        UserError,
        match="images must be square, so that their quarter turns have the same shape, got 16×12;",
    ):
        equivariance_score(model, np.zeros((1, 16, 12, 3), np.uint8))
