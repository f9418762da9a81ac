"""Follower, Queue and ImageTable: by hand, and equal on TensorFlow, two replicas and JAX."""

import elsewhere
import keras
import numpy as np
import pytest

from rotkeras import UserError
from rotkeras.pretext.layers import Follower, ImageTable, Queue

X = np.random.default_rng(0).normal(size=(8, 6)).astype(np.float32)


def small_model():
    return keras.Sequential([keras.Input((6,)), keras.layers.Dense(3), keras.layers.Dense(2)])


def test_a_follower_trails_its_model():
    model = small_model()
    follower = Follower(model, 0.9)
    first = [w.copy() for w in model.get_weights()]
    np.testing.assert_array_equal(follower(X), model(X))
    for weight in model.weights:
        weight.assign(weight + 1.0)
    np.testing.assert_array_equal(follower.copy.get_weights()[0], first[0])  # not in inference
    follower(X, training=True)  # begins with the weights that the model has now
    for mine, old in zip(follower.copy.get_weights(), first, strict=True):
        np.testing.assert_array_equal(mine, old + 1)
    for weight in model.weights:
        weight.assign(weight + 1.0)
    follower(X, training=True)
    for mine, old in zip(follower.copy.get_weights(), first, strict=True):
        np.testing.assert_allclose(mine, 0.9 * (old + 1) + 0.1 * (old + 2), rtol=1e-5)
    assert not follower.trainable_weights
    assert model.trainable_weights


def test_the_momentum_of_a_follower_rises_to_one():
    model = small_model()
    follower = Follower(model, 0.5, cosine=True)
    follower.steps.assign(4)
    weight = follower.copy.weights[0]
    expected, momenta = np.zeros(weight.shape), [0.0]
    # By hand: 1 − 0.5 · (1 + cos(π · step / 4)) / 2 after the first step, which copies.
    momenta += [1 - 0.25 * (1 + np.cos(np.pi * step / 4)) for step in (1, 2, 3, 4, 5)]
    momenta[-1] = 1.0
    for step, momentum in enumerate(momenta):
        model.weights[0].assign(np.full(weight.shape, step + 1.0))
        follower(X, training=True)
        expected = momentum * expected + (1 - momentum) * (step + 1)
        np.testing.assert_allclose(weight, expected, rtol=1e-6)


@pytest.mark.parametrize(("stop", "learns"), [(True, False), (False, True)])
def test_a_frozen_copy_passes_gradients_or_none(stop, learns):
    import tensorflow as tf

    model = small_model()
    follower = Follower(model, 0.0, stop_gradient=stop)
    inputs = tf.Variable(X)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(follower(inputs, training=True) ** 2)
    gradients = tape.gradient(loss, [inputs, *model.trainable_variables])
    assert (gradients[0] is not None) == learns
    assert gradients[1:] == [None] * 4


def test_a_queue_returns_what_came_before():
    queue = Queue(6, 2)
    first = np.asarray(queue.vectors)
    np.testing.assert_allclose(np.linalg.norm(first, axis=1), 1, rtol=1e-6)
    new = np.arange(6, dtype=np.float32).reshape(3, 2)
    np.testing.assert_array_equal(queue(new, training=True), first)
    expected = np.concatenate([new, first[:3]])
    np.testing.assert_array_equal(queue(new + 9), expected)  # inference changes nothing
    np.testing.assert_array_equal(queue(new + 9, training=True), expected)
    np.testing.assert_array_equal(queue(new), np.concatenate([new + 9, expected[:3]]))


def test_a_table_moves_the_rows_of_the_batch():
    table = ImageTable(5, 2, momentum=0.25)
    before = np.asarray(table.rows)
    vectors, places = np.array([[3, 0], [0, -2]], np.float32), np.array([4, 1], np.int32)
    np.testing.assert_array_equal(table([vectors, places], training=True), before[[4, 1]])
    moved = 0.25 * before[[4, 1]] + 0.75 * vectors
    expected = before.copy()
    expected[[4, 1]] = moved / np.linalg.norm(moved, axis=1, keepdims=True)
    np.testing.assert_allclose(table.rows, expected, rtol=1e-5)


@pytest.mark.parametrize("compiled", [False, True])
def test_rows_are_written_in_place_with_the_bits_of_a_copy(compiled):
    import tensorflow as tf

    rng = np.random.default_rng(1)
    table = ImageTable(50, 6, momentum=0.25)
    step = tf.function(lambda *inputs: table([*inputs], training=True), jit_compile=compiled)
    for _ in range(3):
        places, others = rng.integers(0, 50, (2, 8)).astype(np.int32)
        before = np.array(table.rows)
        own, read = step(X, places, others)
        np.testing.assert_array_equal(own, before[places])
        np.testing.assert_array_equal(read, before[others])
        moved = np.asarray(keras.ops.normalize(0.25 * before[places] + 0.75 * X, axis=1))
        for row, place in zip(moved, places, strict=True):  # of an image that comes twice the last
            before[place] = row
        if compiled:
            np.testing.assert_allclose(table.rows, before, rtol=1e-6)
        else:
            np.testing.assert_array_equal(table.rows, before)
    # Reading or assigning a whole variable of many rows costs more than the network.
    graph = step.get_concrete_function(X, places, others).graph
    operations = {each.type for each in graph.get_operations()}
    assert {"ResourceGather", "ResourceScatterUpdate"} <= operations
    assert not operations & {"ReadVariableOp", "AssignVariableOp", "TensorScatterUpdate"}


def test_they_are_saved_with_a_model(tmp_path):
    inputs, places = keras.Input((6,)), keras.Input((), dtype="int32")
    vectors = keras.layers.Dense(2)(inputs)
    outputs = [
        Follower(small_model(), 0.5)(inputs),
        Queue(8, 2)(vectors),
        ImageTable(8, 2)([vectors, places]),
    ]
    model = keras.Model([inputs, places], outputs)
    given = [X, np.arange(8, dtype=np.int32)]
    for _ in range(2):
        model(given, training=True)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    for one, other in zip(model(given), loaded(given), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_small_steps_are_not_lost_in_sixteen_bits(policy):
    before = keras.config.dtype_policy()
    try:
        keras.config.set_dtype_policy(policy)
        model = small_model()
        follower = Follower(model, 0.999)
        follower(X, training=True)  # copies
        start = follower.copy.get_weights()[0].copy()
        model.weights[0].assign(model.weights[0] + 0.1)
        for _ in range(50):
            follower(X, training=True)
        moved = (follower.copy.get_weights()[0] - start).mean()
        assert moved == pytest.approx(0.1 * (1 - 0.999**50), rel=1e-3)
        queue, table = Queue(8, 6), ImageTable(8, 6)
        queue(X, training=True)
        np.testing.assert_array_equal(queue(X), X)
        rows = table([X, np.arange(8, dtype=np.int32)], training=True)
        assert str(rows.dtype).endswith("float32'>") or "float32" in str(rows.dtype)
    finally:
        keras.config.set_dtype_policy(before)


def test_wrong_arguments_are_one_sentence():
    for words, make in (
        (r"momentum must be from 0 to 1, got 2\.0", lambda: Follower(small_model(), 2.0)),
        ("size must be a whole number of at least 1, got -1", lambda: Queue(-1, 2)),
        ("dimensions must be a whole number", lambda: ImageTable(4, 0)),
        ("must be a multiple of the batch, got 5 for batches of 2",
         lambda: Queue(5, 6)(X[:2], training=True)),
    ):  # fmt: skip
        with pytest.raises(UserError, match=words):
            make()


SCRIPT = """
from rotkeras.pretext.layers import Follower, ImageTable, Queue
rng = np.random.default_rng(0)
x, places = rng.normal(size=(24, 6)).astype("float32"), np.arange(24, dtype="int32")
with scope():
    inputs, index = keras.Input((6,)), keras.Input((), dtype="int32")
    net = keras.Sequential([keras.Input((6,)), keras.layers.Dense(3)])
    net.set_weights([rng.normal(size=w.shape) for w in net.get_weights()])
    z = net(inputs)
    queue, table, follower = Queue(16, 3), ImageTable(24, 3), Follower(net, 0.9)
    queue.set_weights([rng.normal(size=(16, 3))])
    table.set_weights([rng.normal(size=(24, 3))])
    scores = keras.ops.matmul(z, keras.ops.transpose(queue(z)))
    output = keras.ops.concatenate([scores, z * table([z, index]), z * follower(inputs)], axis=1)
    model = keras.Model([inputs, index], output)
    model.compile(keras.optimizers.SGD(0.01), "mse", jit_compile=not on_tensorflow)
losses = model.fit(
    [x, places], np.ones((24, 22), "float32"), batch_size=8, epochs=3, shuffle=False, verbose=0
).history["loss"]
sums = [float(np.abs(w).sum()) for layer in (queue, table, follower.copy) for w in layer.get_weights()]
print(json.dumps([*losses, *sums]))
"""


@pytest.fixture(scope="module")
def on_one_device():
    return elsewhere.run(SCRIPT, "tensorflow", "one")


@pytest.mark.long
def test_two_replicas_train_as_one_device(on_one_device):
    np.testing.assert_allclose(elsewhere.run(SCRIPT, "tensorflow", "two"), on_one_device, rtol=1e-5)


@pytest.mark.long
def test_jax_trains_as_tensorflow(on_one_device):
    pytest.importorskip("jax")
    np.testing.assert_allclose(elsewhere.run(SCRIPT, "jax", "one"), on_one_device, rtol=1e-5)


def test_a_loaded_follower_follows_the_loaded_model(tmp_path):
    inputs = keras.Input((6,))
    outputs = keras.layers.Dense(2, name="last")(keras.layers.Dense(3, name="first")(inputs))
    follower = Follower(keras.Model(inputs, outputs), 0.5, name="follower")
    twice = keras.layers.Add()([outputs, follower(inputs)])
    other = keras.Input((6,))  # the layers are used again, for another input
    model = keras.Model(inputs, twice)
    first, last = model.get_layer("first"), model.get_layer("last")
    both = keras.Model([inputs, other], [twice, last(first(other))])
    both.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded([X, X + 1])[1], both([X, X + 1])[1], rtol=1e-6)
    for name in ("first", "last"):
        loaded.get_layer(name).kernel.assign(np.ones(loaded.get_layer(name).kernel.shape))
    loaded([X, X], training=True)
    for weight in loaded.get_layer("follower").copy.get_weights()[::2]:
        np.testing.assert_array_equal(weight, np.ones(weight.shape))
