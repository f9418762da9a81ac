"""What is MoCo's own: queries and keys, the copy that makes keys, and the queue."""

import keras
import numpy as np
import pytest
from small_training import LEAN, three_taps

from rotkeras import UserError, recipe
from rotkeras.data.keyed import Key
from rotkeras.pretext import MoCo
from rotkeras.pretext.losses import info_nce

KEY = Key(np.int64(3), np.int64(1), np.arange(8, dtype=np.int64))


@pytest.fixture
def task():
    return MoCo(temperature=0.1, queue_size=16, hidden_units=8, projection_units=4)


@pytest.fixture
def images(digit_source):
    return digit_source.train.take(slice(0, 8))


def compiled(task):
    keras.utils.set_random_seed(0)
    model = task.build_model(three_taps())
    model.compile(keras.optimizers.SGD(0.1), task.loss(), metrics=task.metrics())
    return model


def test_the_first_view_is_the_query_and_the_second_the_key(task, images):
    x, y = task.views(images, KEY)
    assert {name: each.shape for name, each in x.items()} == {
        "query": (8, 16, 16, 3),
        "key": (8, 16, 16, 3),
    }
    first, second = task.augmented.of_images(images, KEY)
    np.testing.assert_array_equal(x["query"], first)
    np.testing.assert_array_equal(x["key"], second)
    np.testing.assert_array_equal(y, np.zeros(8))


def test_its_logits_are_those_of_the_queue_and_its_loss_that_of_the_paper(task, images):
    model = compiled(task)
    x, y = task.views(images, KEY)
    queue = np.array(model.get_layer("queue").vectors)
    queries = keras.Model(model.input["query"], model.get_layer("unit").output)
    assert set(model.input) == {"query", "key"}
    logits = model.predict(x, verbose=0)
    assert logits.shape == (8, 17)
    keys = np.asarray(model.get_layer("key_encoder")(x["key"]))
    found = np.asarray(task.loss().call(y, logits))
    expected = np.asarray(info_nce(queries.predict(x["query"], verbose=0), keys, queue, 0.1))
    np.testing.assert_allclose(found, expected, rtol=1e-3)


def test_the_queue_takes_the_keys_of_the_copy(task, images, eagerly):
    model = compiled(task)
    x, y = task.views(images, KEY)
    before = np.array(model.get_layer("queue").vectors)
    model.train_on_batch(x, y)
    after = np.array(model.get_layer("queue").vectors)
    keys = np.asarray(model.get_layer("key_encoder")(x["key"]))
    np.testing.assert_allclose(after[:8], keys, atol=1e-5)
    np.testing.assert_array_equal(after[8:], before[:8])
    np.testing.assert_allclose(np.linalg.norm(after, axis=1), 1, rtol=1e-5)


def test_a_key_says_nothing_of_the_other_images_of_its_batch(task, images, eagerly):
    model = compiled(task)
    x, y = task.views(images, KEY)
    for _ in range(3):
        model.train_on_batch(x, y)
    encoder = model.get_layer("key_encoder")
    state = model.get_weights()
    kept = []
    for others in (x["key"][1:], 255 - x["key"][1:]):
        model.set_weights(state)
        keys = np.concatenate([x["key"][:1], others])
        encoder(keys, training=True)  # the copy moves as it would in a step
        kept.append(np.asarray(encoder(keys, training=True)))
    np.testing.assert_allclose(kept[0][0], kept[1][0], atol=1e-6)
    assert np.abs(kept[0][1:] - kept[1][1:]).max() > 0.01
    # The backbone itself normalises by its batch: its queries do say something.
    of_queries = keras.Model(model.input["query"], model.get_layer("unit").output)
    made = [
        np.asarray(of_queries(np.concatenate([x["query"][:1], each]), training=True))[0]
        for each in (x["query"][1:], 255 - x["query"][1:])
    ]
    assert np.abs(made[0] - made[1]).max() > 1e-3


def test_no_gradient_reaches_the_copy_and_the_copy_trails(task, images, eagerly):
    task = MoCo(momentum=0.75, queue_size=16, hidden_units=8, projection_units=4)
    model = compiled(task)
    x, y = task.views(images, KEY)
    follower = model.get_layer("key_encoder")
    assert not follower.trainable_variables
    model.train_on_batch(x, y)  # the copy is made
    kernel = follower.copy.get_layer("projection").kernel
    before, followed = np.array(kernel), np.array(model.get_layer("projection").kernel)
    model.train_on_batch(x, y)
    np.testing.assert_allclose(np.array(kernel), 0.75 * before + 0.25 * followed, rtol=1e-5)


def test_a_batch_that_does_not_divide_the_queue_is_a_mistake_of_the_recipe():
    content = {
        **LEAN,
        "task": {"name": "moco", "queue_size": 100},
        "train": {"images_per_batch": 16},
    }
    with pytest.raises(
        UserError,
        match=r"train\.images_per_batch must divide task\.queue_size \(100\) for MoCo, got 16",
    ):
        recipe.validate(content, "test")
    content["task"]["queue_size"] = 96
    assert recipe.validate(content, "test").task.queue_size == 96


def test_chance_is_one_of_the_key_and_the_queue(task):
    assert task.monitor.chance == task.chance(256) == 1 / 17


def test_the_head_of_the_paper_has_no_batch_norm():
    heads = {
        norm: [
            each.name
            for each in MoCo(head_batch_norm=norm).build_model(three_taps()).layers
            if each.name.startswith("projection")
        ]
        for norm in (True, False)
    }
    assert "projection_norm1" in heads[True]
    assert heads[False] == ["projection_hidden1", "projection_relu1", "projection"]
