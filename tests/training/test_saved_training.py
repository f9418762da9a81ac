"""Models that Keras' own callbacks write in the midst of training: they load, and training goes on
from them."""

import csv
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from small_training import three_taps

from rotkeras import UserError, data
from rotkeras.backbones import fuse_batch_norm
from rotkeras.backbones.weight_decay import add_l2
from rotkeras.data.augmentation import pad_crop_flip
from rotkeras.pretext import InStep, Rotation

AUGMENTATION = [pad_crop_flip(1, flip=False)]


@pytest.fixture(scope="module")
def source(digit_source):
    return data.Source("digits", digit_source.train, digit_source.validation.part(np.arange(32)))


def make_task(placement, source):
    if placement == "host":
        return Rotation()
    resident = (source.train, source.validation) if placement == "resident" else ()
    return InStep(Rotation(), AUGMENTATION, resident)


def compiled(task, rate=0.05, smoothing=0.1):
    keras.utils.set_random_seed(0)
    model = task.build_model(three_taps())
    fuse_batch_norm(model)
    optimizer = keras.optimizers.SGD(rate, momentum=0.9)
    model.compile(optimizer, task.loss(smoothing), metrics=task.metrics())
    return model


def fit(model, task, source, epochs, initial_epoch=0, callbacks=()):
    batches = data.pipeline(
        source.train,
        task,
        images_per_batch=32,
        augmentation=() if isinstance(task, InStep) else AUGMENTATION,
        initial_epoch=initial_epoch,
    )
    validation = data.evaluation_pipeline(source.validation, task, images_per_batch=32)
    return model.fit(
        batches.dataset,
        steps_per_epoch=4,
        epochs=epochs,
        initial_epoch=initial_epoch,
        validation_data=validation,
        shuffle=False,
        verbose=0,
        callbacks=list(callbacks),
    ).history


def scalars(folder, tag):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util.tensor_util import make_ndarray

    events = EventAccumulator(str(folder))
    events.Reload()
    return [float(make_ndarray(event.tensor_proto)) for event in events.Tensors(tag)]


@pytest.mark.parametrize("placement", ["host", "sent", "resident"])
def test_keras_callbacks_together_and_training_from_what_they_wrote(placement, tmp_path, source):
    task = make_task(placement, source)
    model = compiled(task)
    backup = {"backup_dir": tmp_path / "backup", "delete_checkpoint": False}
    history = fit(
        model,
        task,
        source,
        epochs=2,
        callbacks=[
            keras.callbacks.EarlyStopping("val_accuracy", patience=5),
            keras.callbacks.ReduceLROnPlateau("val_accuracy", patience=1, min_delta=1.0),
            keras.callbacks.BackupAndRestore(**backup),
            keras.callbacks.CSVLogger(tmp_path / "log.csv"),
            keras.callbacks.TensorBoard(tmp_path / "tensorboard"),
            keras.callbacks.ModelCheckpoint(tmp_path / "model-{epoch}.keras"),
        ],
    )

    loaded = keras.models.load_model(tmp_path / "model-2.keras")
    if placement == "resident":
        assert (tmp_path / "model-2.keras").stat().st_size < source.train.array.nbytes
        with pytest.raises(UserError, match=r"call task\.attach_images\(model\)"):
            fit(loaded, task, source, epochs=1)
        task.attach_images(loaded)
    for one, other in zip(loaded.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    learned = loaded.optimizer.variables
    assert any(np.any(np.asarray(each)) for each in learned if "momentum" in each.path)
    for one, other in zip(learned, model.optimizer.variables, strict=True):
        np.testing.assert_array_equal(one, other)
    # Batch norm of the loaded model is the stock layer, of the other the fused one.
    here, there = (fit(each, task, source, 3, 2) for each in (model, loaded))
    assert list(here) == list(there)
    for name, values in here.items():
        assert there[name] == pytest.approx(values, rel=1e-3, abs=1e-6), name

    with open(tmp_path / "log.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["accuracy/90"]) for row in rows] == pytest.approx(history["accuracy/90"])
    assert float(rows[1]["learning_rate"]) == pytest.approx(0.05)
    assert scalars(tmp_path / "tensorboard" / "train", "epoch_accuracy/90") == pytest.approx(
        history["accuracy/90"]
    )
    again = compiled(task)
    further = fit(again, task, source, 3, callbacks=[keras.callbacks.BackupAndRestore(**backup)])
    assert len(further["loss"]) == 1  # two of three epochs were there


def test_schedule_loss_scale_and_weight_decay_after_loading(tmp_path, source):
    """L2 weight decay (`add_l2`) is in no file, as documented: added again, training is equal."""
    task = Rotation()
    model = compiled(task)
    add_l2(model, 0.1)
    schedule = keras.optimizers.schedules.CosineDecay(0.0, 10, warmup_target=0.1, warmup_steps=3)
    optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(schedule))
    model.compile(optimizer, task.loss(), metrics=task.metrics())
    fit(model, task, source, 1)
    model.save(tmp_path / "model.keras")
    losses = {"here": fit(model, task, source, 2, 1)["loss"]}
    for name in ("as loaded", "with L2"):
        loaded = keras.models.load_model(tmp_path / "model.keras")
        assert int(loaded.optimizer.iterations) == 4
        if name == "with L2":
            add_l2(loaded, 0.1)
        losses[name] = fit(loaded, task, source, 2, 1)["loss"]
    assert losses["with L2"] == pytest.approx(losses["here"], rel=1e-3)
    assert losses["as loaded"] != pytest.approx(losses["here"], rel=0.1)


class Own:
    """An augmentation of a user, which Keras could not write into a file."""

    in_numpy = in_step = True
    undrawn = ()

    def draw(self, key):
        return np.zeros((len(key.index), 0), np.int32)

    def apply(self, images, draws):
        return images

    def __call__(self, images, key):
        return images


def test_an_augmentation_that_cannot_be_saved_is_named(tmp_path):
    model = InStep(Rotation(), [Own()]).build_model(three_taps())
    with pytest.raises(UserError, match="views of Own cannot be saved: give the class get_config"):
        model.save(tmp_path / "model.keras")


def test_only_the_same_images_and_augmentations_are_attached(tmp_path, source):
    task = make_task("resident", source)
    task.build_model(three_taps()).save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    changed = source.train.array.copy()
    changed[source.train.rows[0], 0, 0, 0] ^= 1
    parts = [
        data.Images(changed, part.rows, part.labels) for part in (source.train, source.validation)
    ]
    with pytest.raises(
        UserError, match=r"The model's resident images must be .*1182.*, got .*1182.*; give InStep"
    ):
        InStep(Rotation(), AUGMENTATION, parts).attach_images(loaded)
    with pytest.raises(
        UserError,
        match=r"The model's task and augmentations must be those of this InStep, Rotation\{'angles': \[0, 90, 180, 270\], 'views': 'all'\}, got _PadCropFlip\{'padding':",
    ):
        InStep(Rotation(), [], task.resident).attach_images(loaded)
    with pytest.raises(UserError, match="does not make its views"):
        task.attach_images(three_taps())
    task.attach_images(loaded)
    x, _ = next(iter(data.evaluation_pipeline(source.validation, task, images_per_batch=4)))
    assert loaded(x).shape == (4, 4, 4)


ORDERS = {
    "keras first": "import keras, rotkeras",
    "rotkeras first": "import rotkeras; from keras.models import load_model; import keras",
    "from inside rotkeras": "import rotkeras.backbones.taps, keras",
}


@pytest.mark.parametrize("order", ORDERS)
def test_importing_rotkeras_is_enough_in_any_order(order, tmp_path, source):
    compiled(Rotation()).save(tmp_path / "model.keras")
    code = f"""
{ORDERS[order]}
model = keras.models.load_model({str(tmp_path / "model.keras")!r})
print(model.loss.label_smoothing)"""
    environment = {**os.environ, "KERAS_BACKEND": "numpy"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment
    )
    assert done.stdout == "0.1\n", done.stderr[-2000:]


def test_train_says_that_the_weight_decay_is_not_in_the_files_of_model_checkpoint():
    from small_training import SMALL

    from rotkeras import recipe
    from rotkeras.training.notes import not_in_files

    whole, weights = (
        keras.callbacks.ModelCheckpoint(f"m{suffix}", save_weights_only=suffix != ".keras")
        for suffix in (".keras", ".weights.h5")
    )
    made = recipe.validate(SMALL, "test")
    assert not_in_files(made, [weights, whole]).endswith("add_l2(model, 0.0005)")
    assert not_in_files(made, [weights]) == ""
    no_decay = {**SMALL["train"], "optimizer": {"name": "sgd", "weight_decay": 0.0}}
    assert not_in_files(recipe.validate({**SMALL, "train": no_decay}, "test"), [whole]) == ""
