import keras
import numpy as np
import pytest

from rotkeras import UserError
from rotkeras.pretext.local_losses import LocalGlobal, LocalGlobalAccuracy
from rotkeras.pretext.losses import local_global

RNG = np.random.default_rng(0)


def reference(embeddings, locations, clip, regularisation):
    """Sections 3.2 to 3.5 of Bachman et al., NeurIPS 2019, score by score in float64."""
    z = np.float64(embeddings)
    views, maps, groups, width = z.shape
    places, images = groups - 1, views // 2
    losses = []
    for view in range(views):
        image, side = divmod(view, 2)
        sources = [(z[view, 0, 0], number) for number in range(maps)]
        sources.append((z[view, -1, 1 + locations[view]], maps - 1))
        total = 0.0
        for source, number in sources:
            raw = {
                (j, place): source @ z[2 * j + 1 - side, number, 1 + place] / np.sqrt(width)
                for j in range(images)
                for place in range(places)
            }
            score = {key: clip * np.tanh(value / clip) for key, value in raw.items()}
            negatives = sum(np.exp(s) for (j, _), s in score.items() if j != image)
            own = [score[image, place] for place in range(places)]
            total += np.mean([-np.log(np.exp(s) / (np.exp(s) + negatives)) for s in own])
            total += regularisation * np.mean(np.square(list(raw.values())))
        losses.append(total)
    return np.array(losses)


def drawn(images, maps, places, width=5, scale=2.0):
    shape = (2 * images, maps, 1 + places, width)
    z = scale * RNG.normal(size=shape)
    z[:, :, 0] = z[:, :1, 0]  # the whole view is the same for each map
    return z.astype(np.float32), RNG.integers(0, places, 2 * images)


@pytest.mark.parametrize(("images", "maps", "places"), [(2, 1, 1), (4, 2, 4), (5, 3, 2)])
@pytest.mark.parametrize(("clip", "regularisation"), [(20.0, 0.04), (1.5, 0.0)])
def test_it_is_the_equation(images, maps, places, clip, regularisation):
    z, locations = drawn(images, maps, places)
    found = np.asarray(local_global(z, locations, clip, regularisation))
    np.testing.assert_allclose(
        found, reference(z, locations, clip, regularisation), rtol=1e-4, atol=1e-5
    )


def test_a_part_of_the_batch_has_the_losses_of_the_whole():
    z, locations = drawn(6, 2, 4)
    whole = np.asarray(local_global(z, locations))
    parts = [
        np.asarray(local_global(z[b : b + 4], locations[b : b + 4], others=z, offset=b))
        for b in (0, 4, 8)
    ]
    np.testing.assert_allclose(np.concatenate(parts), whole, rtol=1e-5)


def test_ugly_inputs_give_finite_numbers():
    z, locations = drawn(3, 2, 4)
    # Zero scores: each place is one among itself and the 2 · 4 places of other images.
    found = np.asarray(local_global(np.zeros_like(z), locations))
    np.testing.assert_allclose(found, 3 * np.log(9), rtol=1e-5)
    assert np.isfinite(local_global(1e4 * z, locations)).all()
    # One image has nothing to be mistaken for.
    np.testing.assert_allclose(local_global(z[:2], locations[:2], 20.0, 0.0), 0, atol=1e-6)
    half = keras.ops.cast(z, "bfloat16")
    found = local_global(half, locations)
    assert "float32" in str(found.dtype)
    exact = np.asarray(keras.ops.cast(half, "float32"))
    np.testing.assert_allclose(found, reference(exact, locations, 20.0, 0.04), rtol=1e-4)


def test_the_loss_of_keras_takes_places_as_shares_of_the_map():
    z, locations = drawn(4, 2, 4)
    # 65,536 shares of four places: the first and the last of each.
    for shares in (locations * 16384, locations * 16384 + 16383):
        loss = LocalGlobal(5.0, 0.1)
        expected = np.asarray(local_global(z, locations, 5.0, 0.1))
        np.testing.assert_allclose(loss.call(shares, z), expected, rtol=1e-5)
        in_step = loss.call(shares.reshape(4, 2), z.reshape(4, 2, *z.shape[1:]))
        np.testing.assert_allclose(in_step, expected.reshape(4, 2), rtol=1e-5)
    again = LocalGlobal.from_config(loss.get_config())
    assert (again.clip, again.regularisation) == (5.0, 0.1)


def test_accuracy_by_hand():
    metric, width = LocalGlobalAccuracy(), 4
    z = np.zeros((8, 2, 3, width), np.float32)
    for image in range(4):
        z[2 * image : 2 * image + 2, :, :, image] = 1.0
    metric.update_state(None, z)
    assert float(metric.result()) == 1.0
    metric.reset_state()
    z[0, :, 1:], z[0, :, 1:, 1] = 0, 1.0  # the places of one view look like those of image 1
    metric.update_state(None, z.reshape(4, 2, 2, 3, width))
    # Its other view is mistaken, and the second view of image 1 has a tie.
    assert float(metric.result()) == 6 / 8
    metric.reset_state()
    metric.update_state(None, np.ones_like(z))
    assert float(metric.result()) == 0.0


@pytest.mark.parametrize("shape", [(4, 3), (3, 1, 2, 4), (4, 1, 1, 4), ()])
def test_other_shapes_are_refused(shape):
    with pytest.raises(UserError, match=r"embeddings must be \(2B, T, 1 \+ L, d\)"):
        local_global(np.zeros(shape, np.float32), np.zeros(4, np.int32))
