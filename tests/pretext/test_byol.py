"""What is BYOL's own: its copy, its loss, and its collapse without predictor and moving target."""

import json

import keras
import numpy as np
import pytest
from click.testing import CliRunner
from small_training import three_taps

from rotkeras import data
from rotkeras.cli import main
from rotkeras.pretext import BYOL


@pytest.fixture
def images(digit_source):
    return digit_source.train.take(slice(0, 8))


def test_the_loss_is_the_squared_distance_of_unit_vectors(images):
    task = BYOL(hidden_units=8, projection_units=4)
    model = task.build_model(three_taps())
    q, z = np.moveaxis(model.predict(images, verbose=0), 1, 0).astype(np.float64)
    q, z = (each / np.linalg.norm(each, axis=1, keepdims=True) for each in (q, z))
    expected = np.mean([np.sum((q[i] - z[i ^ 1]) ** 2) for i in range(8)])
    found = float(task.loss()(np.zeros(8), model(images)))
    assert found == pytest.approx(expected, rel=1e-4)


def test_the_copy_has_no_predictor_and_no_gradient(images):
    model = BYOL(hidden_units=8, projection_units=4).build_model(three_taps())
    copy = model.get_layer("target").copy
    assert copy.layers[-1].name == "projection"
    assert not model.get_layer("target").trainable_variables
    # Before the first step the copy is the network: its projection of a view is the network's own.
    projected = keras.Model(model.input, model.get_layer("projection").output)
    np.testing.assert_allclose(
        projected.predict(images, verbose=0), model.predict(images, verbose=0)[:, 1], atol=1e-5
    )


def test_its_momentum_rises_over_the_training(digit_source, eagerly):
    task = BYOL(hidden_units=8, projection_units=4, momentum=0.9)
    part = digit_source.train.draw(16)
    model = task.build_model(three_taps())
    model.compile("sgd", task.loss())
    batches = data.pipeline(part, task, images_per_batch=8)
    model.fit(
        batches.dataset, steps_per_epoch=2, epochs=2, verbose=0, callbacks=task.callbacks(part)
    )
    target = model.get_layer("target")
    assert (float(target.steps), float(target.step)) == (4, 4)
    assert float(target._momentum()) == pytest.approx(1)


@pytest.mark.long
def test_without_predictor_and_moving_target_a_run_on_digits_ends_with_the_collapse(
    tmp_path, eagerly
):
    recipe = {
        "task": {"name": "byol", "hidden_units": 32, "projection_units": 16},
        "data": {
            "embedded": "digits",
            "image_size": 16,
            "train_images": 320,
            "validation_fraction": 0.1,
        },
        "backbone": {"blocks": 3, "width": 1 / 24},
        "train": {"epochs": 2, "images_per_batch": 32, "learning_rate": 0.5},
        "probe": {"every_epochs": 0, "train_images": 50},
        "attention": None,
        "quality": None,
        "report": None,
    }
    (tmp_path / "recipe.yaml").write_text(json.dumps(recipe))
    found = {}
    for name, off in {
        "default": [],
        "collapse": ["--set", "task.predictor=false", "--set", "task.momentum=0"],
    }.items():
        run = tmp_path / name
        result = CliRunner().invoke(
            main, ["train", str(tmp_path / "recipe.yaml"), "--run-dir", str(run), *off]
        )
        words = " ".join(result.output.split())
        row = json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])
        found[name] = result.exit_code, "The embeddings have collapsed" in words
        found[name] += (row["spread/std"], row["spread/rank"])
    assert found["default"][:2] == (0, False), found
    assert found["collapse"][:2] == (1, True), found
