import numpy as np
import pytest
from damaged import as_jpeg
from sklearn.linear_model import RidgeClassifier
from sklearn.preprocessing import StandardScaler

from rotkeras.audit import predictors
from rotkeras.audit.findings import is_shortcut
from rotkeras.audit.shortcuts import correct_views, shortcut_test, sights


def beyond(images):
    return {each.name for each in shortcut_test(images) if is_shortcut(each)}


def test_noise_without_an_up_tells_nothing(smooth):
    told = shortcut_test(smooth)
    assert [each.name for each in told] == ["border", "mark", "colour", "grid", "residue"]
    for each in told:
        assert abs(each.accuracy - 0.25) < 0.05
        assert 0.01 < each.margin < 0.04
        assert not is_shortcut(each)
        if each.excess is not None:
            assert each.excess == pytest.approx(each.accuracy - each.control)
            assert abs(each.excess) < 2 * each.excess_margin + 0.02


def test_a_line_at_one_side_is_seen_by_the_border(smooth):
    images = smooth.copy()
    images[:, -1] = 255
    told = {each.name: each for each in shortcut_test(images)}
    assert told["border"].accuracy > 0.99
    assert told["border"].control < 0.35
    assert is_shortcut(told["border"])
    assert not is_shortcut(told["mark"])


def test_a_frame_on_all_sides_tells_nothing(smooth):
    images = smooth.copy()
    images[:, [0, -1]] = images[:, :, [0, -1]] = 255
    assert not beyond(images)


def test_a_mark_in_the_margin_is_seen_there(smooth):
    images = smooth.copy()
    images[:, 20:22, 12:21:2] = 255
    assert "mark" in beyond(images)
    assert "border" not in beyond(images)


def test_light_from_one_side_is_seen_by_the_colours(smooth):
    light = np.linspace(-60, 60, 24)[None, :, None, None]
    assert "colour" in beyond(np.clip(smooth + light, 0, 255).astype(np.uint8))


def test_recompressed_images_whose_side_is_no_multiple_of_eight(crops):
    random = np.random.default_rng(0)
    many = np.concatenate(
        [np.rot90(crops, turns, (1, 2)) for turns in range(4)]
    )  # no up of their own
    many = np.concatenate([many, many[:, :, ::-1]])[random.permutation(640)[:480]]
    assert "grid" not in beyond(many[:, :32, :32])
    assert "grid" in beyond(as_jpeg(many[:, :29, :29], 50))
    assert "grid" not in beyond(
        as_jpeg(many[:, :32, :32], 50)
    )  # the grid of 32 is the same after a turn


def test_noise_that_runs_in_one_direction(smooth):
    noise = np.random.default_rng(0).normal(0, 6, smooth.shape)
    even = np.clip(smooth + noise, 0, 255).astype(np.uint8)
    assert "residue" not in beyond(even)
    streaks = noise.copy()
    streaks[:, :, 1:] = (noise[:, :, 1:] + noise[:, :, :-1]) / np.sqrt(2)
    assert "residue" in beyond(np.clip(smooth + streaks, 0, 255).astype(np.uint8))


def test_the_classifier_is_a_ridge_regression_on_the_other_half(crops):
    right = correct_views(crops, predictors.colours, seed=3)
    features = np.stack(
        [
            predictors.colours(np.rot90(crops, turns, (1, 2)).astype(np.float32))
            for turns in range(4)
        ],
        axis=1,
    )
    fitted, held_out = np.array_split(np.random.default_rng(3).permutation(80), 2)
    scaler = StandardScaler().fit(features[fitted].reshape(-1, 12))
    model = RidgeClassifier(alpha=10.0).fit(
        scaler.transform(features[fitted].reshape(-1, 12)), np.tile(np.arange(4), 40)
    )
    expected = (
        model.predict(scaler.transform(features[held_out].reshape(-1, 12))).reshape(-1, 4)
        == np.arange(4)
    ).mean(axis=1)
    np.testing.assert_array_equal(right[held_out], expected)


def test_memory_is_bounded_and_portions_make_no_difference(crops, monkeypatch):
    whole = correct_views(crops, predictors.residue)
    monkeypatch.setattr("rotkeras.audit.shortcuts._CHUNK_BYTES", 1)
    np.testing.assert_array_equal(correct_views(crops, predictors.residue), whole)


@pytest.mark.parametrize("side", [8, 12, 16, 29, 64])
def test_every_size_can_be_seen(side):
    images = np.random.default_rng(0).integers(0, 256, (12, side, side, 3), dtype=np.uint8)
    for sight in sights(side):
        for predictor in (sight.features, sight.control):
            if predictor is not None:
                seen = predictor(images.astype(np.float32))
                assert seen.ndim == 2
                assert np.isfinite(seen).all()
    told = []
    count = len(shortcut_test(images, progress=lambda *each: told.append(each)))
    assert count == (5 if side >= 24 else 1)
    assert told == [(number, count) for number in range(1, count + 1)]
