import numpy as np
import pytest
from damaged import as_jpeg

from rotkeras.audit import predictors


@pytest.fixture
def views(crops):
    return crops.astype(np.float32)


def test_the_frame_sees_its_ring_and_nothing_else(views):
    seen = predictors.frame(views, 3, 2)
    assert (seen.shape, seen.dtype) == ((80, 96), np.float32)
    changed = views.copy()
    changed[:, :3] = changed[:, -3:] = changed[:, :, :3] = changed[:, :, -3:] = 0
    changed[:, 5:-5, 5:-5] = 99
    np.testing.assert_array_equal(predictors.frame(changed, 3, 2), seen)
    changed[:, 3, 20] += 50
    assert (predictors.frame(changed, 3, 2) != seen).any(axis=1).all()


def test_the_frame_by_hand(views):
    seen = predictors.frame(views, 0, 2)
    piece = views[:, :2, :10]  # the first quarter of the upper side
    np.testing.assert_allclose(seen[:, :3], piece.mean(axis=(1, 2)), rtol=1e-5)
    grey = piece.mean(axis=3)
    np.testing.assert_allclose(seen[:, 3], np.log1p(grey.std(axis=(1, 2))), rtol=1e-4)
    np.testing.assert_allclose(
        seen[:, 4], np.log1p(np.abs(grey[:, :, 1:] - grey[:, :, :-1]).mean(axis=(1, 2))), rtol=1e-4
    )
    np.testing.assert_allclose(
        seen[:, 5], np.log1p(np.abs(grey[:, 1] - grey[:, 0]).mean(axis=1)), rtol=1e-4
    )


def test_the_frame_turns_with_the_view(views):
    """A turned view has the same numbers, of the sides that are now there."""
    seen = predictors.frame(views, 0, 2).reshape(80, 4, 24)
    turned = predictors.frame(np.rot90(views, 1, (1, 2)), 0, 2).reshape(80, 4, 24)
    np.testing.assert_allclose(turned, np.roll(seen, -1, axis=1), rtol=1e-4, atol=1e-4)


def test_the_border_of_small_views_is_one_pixel(views):
    assert [predictors.border_depth(side) for side in (8, 31, 32, 224)] == [1, 1, 2, 2]
    assert np.isfinite(predictors.frame(views[:, :8, :8], 0, 1)).all()
    assert np.isfinite(predictors.frame(views[:, :8, :8], 2, 1)).all()


def test_colours_are_means_of_quarters(views):
    seen = predictors.colours(views)
    assert seen.shape == (80, 12)
    np.testing.assert_allclose(seen[:, 3:6], views[:, :20, 20:].mean(axis=(1, 2)), rtol=1e-4)
    np.testing.assert_allclose(
        seen.reshape(80, 4, 3).mean(axis=1), views.mean(axis=(1, 2)), rtol=1e-4
    )


def test_phases_find_the_steps_between_blocks():
    random = np.random.default_rng(0)
    blocks = random.integers(100, 110, (5, 5, 5, 1)).astype(np.float32)
    picture = np.repeat(np.repeat(blocks, 8, axis=1), 8, axis=2).repeat(3, axis=3)
    rows, columns = predictors.phases(picture, 8)[:, :16].reshape(5, 2, 8).transpose(1, 0, 2)
    # A step from row 7 to row 8 is difference 7; the first difference has no neighbour before it,
    # so it is number 6 of what is left.
    assert (rows.argmax(axis=1) == 6).all()
    assert (columns.argmax(axis=1) == 6).all()
    np.testing.assert_allclose(
        predictors.phases(picture, 8).reshape(5, 4, 8).sum(axis=2), 0, atol=1e-4
    )


def test_phases_see_jpeg_and_not_the_picture(crops):
    def strength(images):
        return np.abs(predictors.phases(images.astype(np.float32), 8)[:, [6, 14]]).mean()

    assert strength(as_jpeg(crops, 30)) > 3 * strength(crops)
    flat = np.full((1, 40, 40, 3), 77, np.float32)
    np.testing.assert_array_equal(predictors.phases(flat, 8), 0)


def test_the_residue_sees_neither_brightness_nor_slow_changes():
    ramp = np.broadcast_to(np.linspace(0, 200, 40, dtype=np.float32)[:, None, None], (1, 40, 40, 3))
    flat = np.full((1, 40, 40, 3), 100, np.float32)
    inner = [predictors.residue(each[:, 1:-1, 1:-1])[0] for each in (flat, flat + 50)]
    np.testing.assert_allclose(*inner, atol=1e-5)
    np.testing.assert_allclose(
        predictors._blur(ramp[..., 0])[:, 1:-1], ramp[:, 1:-1, :, 0], rtol=1e-4
    )


def test_the_residue_tells_the_direction_of_noise():
    random = np.random.default_rng(0)
    noise = random.normal(128, 4, (20, 40, 40, 1)).astype(np.float32).repeat(3, axis=3)
    lines = (noise + np.roll(noise, 1, axis=2)) / 2  # smoother along the rows
    seen = predictors.residue(lines)
    along, down = seen[:, 0], seen[:, 1]
    assert (along > down + 0.3).all()
    turned = predictors.residue(np.rot90(lines, 1, (1, 2)))
    np.testing.assert_allclose(turned[:, [0, 1]], seen[:, [1, 0]], atol=1e-3)


def test_correlations_by_hand():
    plane = np.random.default_rng(0).normal(size=(2, 6, 7)).astype(np.float32)
    np.testing.assert_allclose(
        predictors._correlation(plane, 1, 1),
        (plane[:, :-1, :-1] * plane[:, 1:, 1:]).mean(axis=(1, 2)),
        rtol=1e-4,
    )
    np.testing.assert_allclose(
        predictors._correlation(plane, 1, -1),
        (plane[:, :-1, 1:] * plane[:, 1:, :-1]).mean(axis=(1, 2)),
        rtol=1e-4,
    )


def test_the_residue_at_half_the_size(views):
    halved = views.reshape(80, 20, 2, 20, 2, 3).mean(axis=(2, 4))
    np.testing.assert_allclose(
        predictors.residue(views, 2), predictors.residue(halved), rtol=1e-4, atol=1e-4
    )
    assert predictors.residue(views[:, :9, :9], 2).shape == (80, 26)
