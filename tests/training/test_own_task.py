"""A pretext task as a user would write it, outside the package."""

import json

import keras
import numpy as np
import pytest
from small_training import LEAN, quick_nin

import rotkeras as rk
from rotkeras import backbones, recipe
from rotkeras.device.tflite_file import TFLiteFile
from rotkeras.pretext import Monitor
from rotkeras.run import images as run_images


class Brightness:
    """Tell whether an image was made darker."""

    monitor = Monitor("accuracy", "brightness accuracy", "brightness", chance=0.5)
    class_names = ("as it is", "darker")
    method = "telling darkened images"
    joint_embedding = False
    in_numpy = True

    def views(self, images, key):
        both = np.stack([images, images // 2], axis=1).reshape(-1, *images.shape[1:])
        return both, np.tile(np.arange(2, dtype=np.int32), len(images))

    def views_per_image(self):
        return 2

    def build_model(self, backbone, images=None):
        pooled = keras.layers.GlobalAveragePooling2D()(backbone.output)
        return keras.Model(backbone.input, keras.layers.Dense(2, dtype="float32")(pooled))

    def network(self, model):
        return model

    def loss(self, label_smoothing=0.0):
        return keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def metrics(self):
        return [keras.metrics.SparseCategoricalAccuracy(name="accuracy")]

    def callbacks(self, images):
        return []


def test_it_trains_by_plain_fit(digit_source, eagerly):
    task = Brightness()
    model = task.build_model(quick_nin())
    model.compile(keras.optimizers.SGD(0.05), task.loss(), metrics=task.metrics())
    batches = rk.data.pipeline(digit_source.train.draw(64), task, images_per_batch=16)
    history = model.fit(
        batches.dataset, steps_per_epoch=batches.steps_per_epoch, epochs=2, verbose=0
    ).history
    assert np.isfinite(history["loss"]).all()


class WithIndex(Brightness):
    """A task whose model takes the index of each image too, as one with a memory bank does."""

    def views(self, images, key):
        both, labels = super().views(images, key)
        return {"images": both, "index": np.repeat(key.index, 2).astype(np.int32)}, labels

    def build_model(self, backbone, images=None):
        index = keras.Input((), dtype="int32", name="index")
        model = super().build_model(backbone)
        shift = keras.layers.Embedding(2000, 2, embeddings_initializer="zeros")(index)
        output = keras.layers.Add(dtype="float32")([model.output, shift])
        return keras.Model({"images": backbone.input, "index": index}, output)

    def network(self, model):
        logits = next(each for each in model.layers if isinstance(each, keras.layers.Dense))
        return keras.Model(model.inputs[0], logits.output)


def test_a_model_of_images_and_their_index(tmp_path, monkeypatch):
    monkeypatch.setitem(backbones.NAMES, "nin", quick_nin)
    made = recipe.validate(
        {**LEAN, "train": {"epochs": 1, "images_per_batch": 16, "learning_rate": 0.01}}, "test"
    )
    summary = rk.training.train(made, rk.training.Run(tmp_path / "run"), task=WithIndex())
    assert summary["probes"]["trained"]


def train_own(task, folder, **more):
    return rk.training.train(
        recipe.validate({**LEAN, "train": {"epochs": 1, "images_per_batch": 16}}, "test"),
        rk.training.Run(folder),
        task=task,
        **more,
    )


def changed(**attributes):
    return type("Brightness", (Brightness,), attributes)()


def test_what_a_task_lacks_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setitem(backbones.NAMES, "nin", quick_nin)
    for task, words in (
        (changed(build_model=None), r"needs the method build_model\(\)"),
        (changed(views_per_image=None), r"needs the method views_per_image\(\)"),
        (changed(monitor="accuracy"), "needs the attribute monitor, a rotkeras.pretext.Monitor"),
        (changed(network=lambda self, model: None), "must return a Keras model, got NoneType"),
        (
            changed(class_names=("a", "b", "c")),
            r"each of its 3 class_names, \(B, 3\), got \(None, 2",
        ),
        (changed(monitor=Monitor("acc", "x", "x")), "got 'acc'; its metrics are accuracy"),
        (changed(least_images_per_batch=17), "images_per_batch must be at least 17 for Brightness"),
    ):
        with pytest.raises(rk.UserError, match=words) as error:
            train_own(task, tmp_path / "run")
        assert "\n" not in str(error.value)
        assert not (tmp_path / "run").exists()


def test_a_run_is_not_replaced_or_resumed_as_another_task(tmp_path, monkeypatch):
    from click.testing import CliRunner

    from rotkeras.cli import main

    monkeypatch.setitem(backbones.NAMES, "nin", quick_nin)
    folder = tmp_path / "run"
    train_own(Brightness(), folder)
    assert "name: own" in (folder / "recipe.yaml").read_text()
    with pytest.raises(rk.UserError, match="already holds a run: .*overwrite=True"):
        train_own(Brightness(), folder)
    with pytest.raises(rk.UserError, match="class_name: 'Brightness' and the new one 'Darkness'"):
        train_own(type("Darkness", (Brightness,), {})(), folder, resume=True)
    command = ["train", str(folder / "recipe.yaml"), "--run-dir", str(tmp_path / "again")]
    done = CliRunner().invoke(main, command)
    assert done.exit_code == 2
    assert "rk.training.train(recipe, run, task=Brightness())" in done.output
    assert train_own(Brightness(), folder, resume=True)["epochs"] == 1
    assert train_own(Brightness(), folder, overwrite=True)["epochs"] == 1


def test_it_is_trained_probed_reported_and_exported_as_a_run(tmp_path, monkeypatch):
    monkeypatch.setitem(backbones.NAMES, "nin", quick_nin)
    made = recipe.validate(
        {**LEAN, "train": {"epochs": 2, "images_per_batch": 16, "learning_rate": 0.05}}, "test"
    )
    run = rk.training.Run(tmp_path / "run")
    summary = rk.training.train(made, run, task=Brightness())
    assert summary["probes"]["trained"]
    assert json.loads(run.task.read_text())["name"] == "Brightness"
    assert run.task_facts().class_names == ("as it is", "darker")
    page = rk.report.write_report([run.path], tmp_path / "report.html").read_text()
    assert "Brightness accuracy over epochs" in page
    assert "brightness accuracy is" in page
    settings = rk.recipe.Export(
        profiles=["float32", "classifier"],
        saved_model=False,
        max_drop=100.0,
        calibration_images=100,
    )
    done = rk.export.export_run(run, settings)
    proof = done.proof["files"]["classifier.tflite"]
    # The task's code is not with the run: what Keras predicts stands for the true classes.
    assert proof["classes"] == "as Keras predicts"
    assert proof["drops"]["prediction"]["keras"] == 1.0
    file = TFLiteFile(done.folder / "classifier.tflite")
    assert file.associated_file("labels.txt").decode().split("\n")[:2] == ["as it is", "darker"]
    assert done.proof["encoder"]["class_names"] == ["as it is", "darker"]
    with pytest.raises(
        rk.UserError, match="classes that are quarter turns, and the network predicts"
    ):
        rk.export.export_run(run, rk.recipe.Export(profiles=["orient"]), tmp_path / "other")
    network = keras.models.load_model(run.model, compile=False)
    source = run_images.load_source(made)
    with_task = rk.export.export(
        network, source, tmp_path / "with_task", settings, task=Brightness()
    )
    proof = with_task.proof["files"]["classifier.tflite"]
    assert proof["classes"] == "of the task"
    assert proof["drops"]["prediction"]["answers"] == 2 * proof["drops"]["prediction"]["images"]
    assert "telling darkened images" in (done.folder / "model_card.md").read_text()
    with pytest.raises(rk.UserError, match="does not predict angles"):
        from rotkeras.orient.network import find_orientation_file

        find_orientation_file(run.path)
