"""What is instance discrimination's own: its rows, its negatives, and its memory bank."""

import keras
import numpy as np
import pytest
from small_training import three_taps

from rotkeras import UserError, data
from rotkeras.data.keyed import Key
from rotkeras.pretext import InstanceDiscrimination

KEY = Key(np.int64(3), np.int64(1), np.arange(100, 106), np.arange(6))
SMALL = {"projection_units": 4, "negatives_per_image": 3}


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (6, 16, 16, 3), np.uint8)


def test_each_image_has_its_row_and_its_own_draws(images):
    task = InstanceDiscrimination(**SMALL)
    x, y = task.views(images, KEY)
    np.testing.assert_array_equal(x["index"], np.arange(6))
    assert x["negatives"].shape == (6, 3)
    assert len(np.unique(x["negatives"])) == 18
    assert (x["negatives"] >= 0).all()
    np.testing.assert_array_equal(y, np.zeros(6))
    later, _ = task.views(images, KEY._replace(epoch=np.int64(2)))
    assert (later["negatives"] != x["negatives"]).all()
    without, _ = task.views(images, KEY._replace(position=None))
    np.testing.assert_array_equal(without["index"], KEY.index)


def test_negatives_are_drawn_evenly_over_the_rows():
    drawn = InstanceDiscrimination(negatives_per_image=50).draw(
        KEY._replace(index=np.arange(400), position=np.arange(400))
    )[:, -50:]
    counts = np.bincount((drawn % 10).ravel(), minlength=10)
    # 20,000 draws of ten rows: 2,000 ± 42 each.
    assert np.abs(counts - 2000).max() < 5 * 42


def fitted(repeats=1, momentum=0.0, steps=4):
    part = data.load("digits", image_size=16).train.draw(16)
    task = InstanceDiscrimination(**SMALL, momentum=momentum)
    keras.utils.set_random_seed(0)
    model = task.build_model(three_taps(), len(part))
    model.compile(keras.optimizers.SGD(0.0), task.loss(), metrics=task.metrics())
    batches = iter(data.pipeline(part, task, images_per_batch=8, repeats=repeats).dataset)
    made = [next(batches) for _ in range(steps)]
    for x, y in made:
        model.train_on_batch(x, y)
    return task, model, [x for x, _ in made]


def test_the_bank_holds_what_the_network_made_last(eagerly):
    _, model, batches = fitted()
    rows = np.asarray(model.get_layer("memory_bank").rows)
    embed = keras.Model(model.input["images"], model.get_layer("unit").output)
    first = np.asarray(batches[-1]["index"])
    # By the batch statistics of the step, as it was made.
    vectors = np.asarray(embed(batches[-1]["images"], training=True))
    assert rows.shape == (16, 4)
    np.testing.assert_allclose(rows[first], vectors, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, rtol=1e-5)


def test_an_image_may_come_twice_in_a_batch(eagerly):
    (_, one, batches), (_, other, _) = fitted(repeats=4), fitted(repeats=4)
    assert any(len(np.unique(each["index"])) < 8 for each in batches)
    np.testing.assert_array_equal(*(m.get_layer("memory_bank").rows for m in (one, other)))


def test_the_output_is_the_own_row_and_the_negatives_of_the_whole_batch(images):
    task = InstanceDiscrimination(**SMALL, temperature=0.5)
    model = task.build_model(three_taps(), 6)
    x, _ = task.views(images, KEY)
    found = np.asarray(model(x))
    assert found.shape == (6, 1 + 18)
    vectors = np.array(task.embedder(model)(x["images"]))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    rows = np.asarray(model.get_layer("memory_bank").rows)
    places = x["negatives"].ravel() % 6
    scores = np.concatenate(
        [(vectors * rows).sum(axis=1, keepdims=True), vectors @ rows[places].T], axis=1
    ) / 0.5  # fmt: skip
    # All but a constant: log Z and log(m / N).
    counted = found > -1e8
    assert (~counted).sum() == sum(place == own for own in range(6) for place in places)
    apart = (found - scores)[counted]
    np.testing.assert_allclose(apart, apart[0], atol=1e-4)


def test_it_needs_the_number_of_images_and_no_large_batch():
    task = InstanceDiscrimination(**SMALL)
    with pytest.raises(UserError, match="images must be the number of training images, got None"):
        task.build_model(three_taps())
    assert task.chance(256) == 1 / (1 + 3 * 256)
    assert (task.least_images_per_batch, task.validates, task.views_per_image()) == (1, False, 1)
