import keras
import numpy as np
import pytest

from rotkeras.backbones.weight_decay import add_l2
from rotkeras.recipe import validate
from rotkeras.training.optimizer import build_optimizer, build_schedule, schedule_note


def train(**values):
    return validate({"data": {"embedded": "digits"}, "train": values}, "test").train


def rates(settings, steps_per_epoch):
    schedule = build_schedule(settings, steps_per_epoch)
    return np.array([float(schedule(step)) for step in range(settings.epochs * steps_per_epoch)])


def test_steps_change_the_rate_at_the_first_step_of_an_epoch():
    settings = train(
        epochs=6, learning_rate=0.1, schedule={"name": "steps", "at_epochs": [2, 4], "factor": 0.2}
    )
    np.testing.assert_allclose(rates(settings, 5), np.repeat([0.1, 0.02, 0.004], 10), rtol=1e-6)


def test_the_published_schedule():
    from rotkeras import recipe

    settings = recipe.load("cifar10").train
    at = rates(settings, 1)[[0, 59, 60, 119, 120, 159, 160, 199]]
    np.testing.assert_allclose(at, [0.1, 0.1, 0.02, 0.02, 0.004, 0.004, 0.0008, 0.0008], rtol=1e-6)


@pytest.mark.parametrize(
    ("epochs", "schedule", "words"),
    [
        (200, {"name": "steps", "at_epochs": [60, 120]}, ""),
        (100, {"name": "steps", "at_epochs": [60, 120]}, "at_epochs 120 is not reached in"),
        (3, {"name": "steps", "at_epochs": [3, 4.5]}, "at_epochs 3, 4.5 are not reached in"),
        (3, {"name": "cosine", "warmup_epochs": 2.5}, ""),
        (3, {"name": "cosine", "warmup_epochs": 3}, "warmup_epochs=3 fills train.epochs=3;"),
        (3, {"name": "one_cycle"}, ""),
        (3, {"name": "constant"}, ""),
    ],
)
def test_what_the_number_of_epochs_leaves_out_of_the_schedule_is_said(epochs, schedule, words):
    note = schedule_note(train(epochs=epochs, schedule=schedule))
    assert words in note
    assert bool(note) == bool(words)


def test_cosine_with_and_without_warm_up():
    plain = rates(train(epochs=4, learning_rate=0.3, schedule={"name": "cosine"}), 10)
    np.testing.assert_allclose(plain, 0.15 * (1 + np.cos(np.pi * np.arange(40) / 40)), atol=1e-6)
    warm = rates(
        train(epochs=4, learning_rate=0.3, schedule={"name": "cosine", "warmup_epochs": 1}), 10
    )
    np.testing.assert_allclose(warm[:10], 0.3 * np.arange(10) / 10, atol=1e-6)
    np.testing.assert_allclose(
        warm[10:], 0.15 * (1 + np.cos(np.pi * np.arange(30) / 30)), atol=1e-6
    )


def test_one_cycle_rises_to_its_peak_and_ends_near_nothing():
    cycle = rates(
        train(epochs=10, learning_rate=0.2, schedule={"name": "one_cycle", "warmup_fraction": 0.3}),
        10,
    )
    assert cycle[0] == pytest.approx(0.2 / 25)
    assert cycle.argmax() == 30
    assert cycle.max() == pytest.approx(0.2)
    assert cycle[-1] < 0.001
    assert (np.diff(cycle[:31]) > 0).all()
    assert (np.diff(cycle[30:]) < 0).all()


@pytest.mark.parametrize("name", ["constant", "cosine", "one_cycle"])
def test_a_single_step_is_a_schedule_too(name):
    assert np.isfinite(
        float(build_optimizer(train(epochs=1, schedule={"name": name}), 1).learning_rate)
    )


def test_l2_in_the_gradient_is_the_published_sgd_step_by_step():
    """PyTorch's rule, by hand: g = g + wd·w; v = m·v + g; w = w − lr·(g + m·v), on kernels, biases,
    scales and offsets alike."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Dense(4),
            keras.layers.BatchNormalization(),
            keras.layers.Dense(2),
        ]
    )
    twin = keras.models.clone_model(model)
    twin.set_weights(model.get_weights())
    settings = train(
        learning_rate=0.1,
        optimizer={"name": "sgd", "momentum": 0.9, "nesterov": True, "weight_decay": 0.05},
    )
    add_l2(model, settings.optimizer.weight_decay)
    model.compile(build_optimizer(settings, 1), "mse")
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(8, 3)).astype(np.float32), rng.normal(size=(8, 2)).astype(np.float32)

    import tensorflow as tf

    weights = [w.numpy() for w in twin.trainable_variables]
    velocity = [np.zeros_like(w) for w in weights]
    for _ in range(5):
        model.train_on_batch(x, y)
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((twin(x, training=True) - y) ** 2)
        gradients = tape.gradient(loss, twin.trainable_variables)
        for position, gradient in enumerate(gradients):
            decayed = gradient.numpy() + 0.05 * weights[position]
            velocity[position] = 0.9 * velocity[position] + decayed
            weights[position] = weights[position] - 0.1 * (decayed + 0.9 * velocity[position])
            twin.trainable_variables[position].assign(weights[position])
    for ours, expected in zip(model.trainable_variables, weights, strict=True):
        np.testing.assert_allclose(ours.numpy(), expected, rtol=1e-4, atol=1e-6)


def test_decoupled_decay_is_keras_own():
    settings = train(
        optimizer={"name": "adam", "weight_decay": 0.01, "weight_decay_as": "decoupled"}
    )
    optimizer = build_optimizer(settings, 1)
    assert type(optimizer) is keras.optimizers.Adam
    assert optimizer.weight_decay == 0.01
    assert build_optimizer(train(optimizer={"weight_decay": 0.01}), 1).weight_decay is None


def test_regularizers_do_not_reach_the_file(tmp_path, small_backbone):
    add_l2(small_backbone, 5e-4)
    assert len(small_backbone.losses) == len(small_backbone.trainable_variables)
    small_backbone.save(tmp_path / "backbone.keras")
    assert keras.models.load_model(tmp_path / "backbone.keras").losses == []


def test_steps_may_begin_with_a_warm_up():
    """By hand: five epochs of four steps."""
    settings = train(
        epochs=5,
        learning_rate=0.1,
        schedule={"name": "steps", "at_epochs": [2, 3], "factor": 0.1, "warmup_epochs": 1},
    )
    expected = [0, 0.025, 0.05, 0.075, *[0.1] * 4, *[0.01] * 4, *[0.001] * 8]
    np.testing.assert_allclose(rates(settings, 4), expected, rtol=1e-5)
    schedule = build_schedule(settings, 4)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(schedule))
    found = [float(again(step)) for step in range(20)]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_a_model_with_a_warm_up_trains_on_from_its_file(tmp_path):
    settings = train(
        epochs=2,
        learning_rate=0.1,
        schedule={"name": "steps", "at_epochs": [1], "warmup_epochs": 0.5},
    )
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.compile(keras.optimizers.SGD(build_schedule(settings, 4)), "mse")
    x, y = np.ones((8, 3), np.float32), np.zeros((8, 2), np.float32)
    model.fit(x, y, batch_size=2, epochs=1, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    for each in (model, loaded):
        each.fit(x, y, batch_size=2, epochs=1, verbose=0, shuffle=False)
    np.testing.assert_array_equal(model.get_weights()[0], loaded.get_weights()[0])
    assert float(loaded.optimizer.learning_rate) == pytest.approx(0.02)
