"""Classifiers that are trained alongside: their loss and accuracy by hand, and what they need."""

import json

import keras
import numpy as np
import pytest
from PIL import Image
from small_training import LEAN, three_taps

import rotkeras
from rotkeras import UserError, data, recipe
from rotkeras.data import Images
from rotkeras.data.taken import crops_by_task
from rotkeras.pretext import (
    AMDIM,
    ESSL,
    InstanceDiscrimination,
    InStep,
    MoCo,
    OnlineProbe,
    Rotation,
    SimCLR,
    SwAV,
)
from rotkeras.pretext.online_crossentropy import OnlineAccuracy, OnlineCrossentropy, OnlineLogs
from rotkeras.run.folder import Run
from rotkeras.training.build import classes_of

LABELS = np.array([2, 0], np.int32)
LOGITS = np.random.default_rng(0).normal(size=(6, 4, 3)).astype(np.float32)
"""Three views of each of two images, four taps, three classes."""


def test_its_gradient_is_that_of_cross_entropy_and_its_value_is_zero():
    import tensorflow as tf

    logits = tf.Variable(LOGITS)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(OnlineCrossentropy(reduction=None)(LABELS, logits))
    assert float(loss) == 0
    shares = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=2, keepdims=True)
    expected = shares - np.eye(3)[np.repeat(LABELS, 3)][:, None]
    np.testing.assert_allclose(tape.gradient(loss, logits), expected, atol=1e-6)


def test_its_accuracy_is_counted_over_views_and_batches():
    metric = OnlineAccuracy()
    assert metric.result() == {}
    metric.update_state(LABELS, LOGITS)
    metric.update_state(LABELS[::-1], LOGITS)
    for tap in range(4):
        right = [
            LOGITS[view, tap].argmax() == labels[view // 3]
            for labels in (LABELS, LABELS[::-1])
            for view in range(6)
        ]
        assert float(metric.result()[f"online/{tap}"]) == pytest.approx(np.mean(right))
    metric.reset_state()
    assert float(metric.result()["online/0"]) == 0


def test_logs_are_named_as_without_it():
    callback = OnlineLogs()
    callback.set_model(three_taps())
    logs = {"loss": 1, "task_loss": 1, "online_loss": 0, "task_accuracy": 0.5, "online/1": 0.25}
    logs |= {f"val_{name}": value for name, value in logs.items()}
    callback.on_epoch_end(0, logs)
    expected = {"loss": 1, "accuracy": 0.5, "online/conv2": 0.25}
    assert logs == expected | {f"val_{name}": value for name, value in expected.items()}


@pytest.mark.parametrize("inside", [False, True])
def test_every_view_has_the_label_of_its_image(digit_source, inside):
    images = digit_source.train.draw(20)
    task = OnlineProbe(Rotation(), classes=10)
    task = InStep(task, resident=(images,)) if inside else task
    batches = data.pipeline(images, task, images_per_batch=4, seed=3)
    labels = [np.asarray(y["online"]) for _, (_, y) in zip(range(5), batches.dataset, strict=False)]
    np.testing.assert_array_equal(np.sort(np.concatenate(labels)), np.sort(images.labels))
    x, y = next(iter(data.evaluation_pipeline(images, task, images_per_batch=8)))
    np.testing.assert_array_equal(y["online"], images.labels[:8])
    model = task.build_model(three_taps())
    assert model(x)["online"].shape == (32, 3, 10)


def test_it_learns_the_classes_of_a_network_that_does_not_learn_them(digit_source):
    keras.utils.set_random_seed(0)
    plain = SimCLR(crop_scale=(1.0, 1.0), color_strength=0.0, grayscale=0.0)
    task = OnlineProbe(plain, classes=10)
    inputs = keras.Input((16, 16, 3), dtype="uint8")
    x = keras.layers.Rescaling(1 / 127.5, offset=-1.0)(inputs)
    x = keras.layers.Conv2D(96, 5, strides=2, activation="relu", name="block1_conv")(x)
    backbone = keras.Model(inputs, keras.layers.Identity(name="conv1")(x))
    model = task.build_model(backbone)
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), task.loss(), metrics=task.metrics())
    images = digit_source.train.draw(320)
    batches = data.pipeline(images, task, images_per_batch=32)
    history = model.fit(
        batches.dataset,
        steps_per_epoch=batches.steps_per_epoch,
        epochs=6,
        validation_data=data.evaluation_pipeline(images, task, images_per_batch=32),
        shuffle=False,
        verbose=0,
        callbacks=task.callbacks(images),
    ).history
    assert history["val_online/conv1"][-1] > 0.5


def test_images_without_labels_are_one_sentence(digit_source):
    unlabelled = Images(digit_source.train.array, digit_source.train.rows)
    task = OnlineProbe(Rotation(), classes=10)
    with pytest.raises(UserError, match="An online probe needs labelled images"):
        data.pipeline(unlabelled, task, images_per_batch=4)


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ([0, 1, 2, 10], "of 10 classes must be from 0 to 9, got 10; give OnlineProbe as many"),
        ([0, -1, 2, 9], "of 10 classes must be from 0 to 9, got -1; .* no negative label"),
    ],
)
@pytest.mark.parametrize("inside", [False, True])
def test_labels_out_of_range_are_one_sentence(digit_source, labels, words, inside):
    task = OnlineProbe(Rotation(), classes=10)
    images = Images.of(
        digit_source.train.take(slice(0, 4)), np.array(labels), [str(each) for each in range(11)]
    )
    for make in (data.pipeline, data.evaluation_pipeline):
        with pytest.raises(UserError, match=words):
            make(images, InStep(task) if inside else task, images_per_batch=4)


def test_a_class_that_validation_alone_has_is_counted(digit_source):
    pixels, names = digit_source.train.take(slice(0, 4)), ["a", "b", "c", "d", "e"]

    def part(*labels):
        return Images.of(pixels, np.array(labels), names)

    assert classes_of(data.Source("own", part(0, 1, 1, 0), part(0, 3, 1, 0))) == 4
    assert classes_of(data.Source("own", part(0, 1, 1, 0), None)) == 2
    unlabelled = Images.of(pixels)
    assert classes_of(data.Source("own", part(0, 1, 1, 0), unlabelled)) == 2
    for wrong, words in (
        (data.Source("own", unlabelled, part(0, 1, 1, 0)), "they have no labels"),
        (data.Source("own", part(0, 0, 0, 0), part(0, 0, 0, 0)), "they have labels of one class"),
    ):
        with pytest.raises(UserError, match=f"probe.online must be false .*{words}"):
            classes_of(wrong)


@pytest.fixture
def photographs(tmp_path, monkeypatch):
    """Eight photographs of two classes that stay encoded."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    random = np.random.default_rng(0)
    for number in range(8):
        folder = tmp_path / "photos" / f"class{number % 2}"
        folder.mkdir(parents=True, exist_ok=True)
        pixels = random.integers(0, 256, (24, 20 + number, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    source = data.load(
        tmp_path / "photos", image_size=16, storage="encoded", validation_fraction=0.0
    )
    return source.train


@pytest.mark.parametrize("library", ["numpy", "tensorflow"])
@pytest.mark.parametrize(
    "task",
    [Rotation(), SimCLR(), MoCo(queue_size=8), InstanceDiscrimination(), ESSL(), SwAV(), AMDIM()],
    ids=lambda task: type(task).__name__,
)
def test_its_views_of_encoded_photographs_are_those_of_the_task(photographs, task, library):
    """Rotation makes no crops, and gets squares; the others cut theirs from the photographs."""
    probed = OnlineProbe(task, classes=2)
    assert hasattr(probed, "views_of_photographs") == hasattr(task, "views_of_photographs")
    assert crops_by_task(photographs, probed) == (not isinstance(task, Rotation))
    settings = {"images_per_batch": 8, "seed": 3, "library": library}
    x, y = next(iter(data.pipeline(photographs, task, **settings).dataset))
    made, labels = next(iter(data.pipeline(photographs, probed, **settings).dataset))
    y_of_task = {name: each for name, each in labels.items() if name != "online"}
    y_of_task = y_of_task if isinstance(y, dict) else y_of_task["task"]
    for one, other in zip(
        keras.tree.flatten((x, y)), keras.tree.flatten((made, y_of_task)), strict=True
    ):
        np.testing.assert_array_equal(one, other)
    assert sorted(np.asarray(labels["online"])) == [0] * 4 + [1] * 4
    inside = InStep(probed)
    sent, _ = next(iter(data.pipeline(photographs, inside, **settings).dataset))
    assert sent["images"].shape == (8, 16, 16, 3)


def test_a_recipe_has_it(tmp_path, eagerly):
    from rotkeras.training import train

    content = {
        **LEAN,
        "data": {**LEAN["data"], "train_images": 64},
        "train": {"epochs": 2, "images_per_batch": 16, "learning_rate": 0.02},
        "probe": {"every_epochs": 0, "train_images": 50, "online": True},
    }
    run = Run(tmp_path / "run")
    train(recipe.validate(content, "test"), run)
    rows = [json.loads(line) for line in run.metrics.read_text().splitlines()]
    assert {"accuracy", "val_accuracy", "online/conv1", "val_online/conv3"} <= set(rows[-1])
    assert keras.models.load_model(run.model).output_shape == (None, 4)
    page = rotkeras.report.write_report([run.path], tmp_path / "page.html").read_text()
    assert "Online linear probe of each tap over epochs" in page
