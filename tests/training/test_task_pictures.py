"""The pictures of a task in a run: after training, after resuming, and on the run's page."""

import json

import keras
import numpy as np
import pytest
from small_training import LEAN, SMALL

import rotkeras
from rotkeras import pretext, recipe
from rotkeras.pretext import InStep, Jigsaw, OnlineProbe, RelativePatch, Rotation
from rotkeras.pretext.pictures import Picture
from rotkeras.run.folder import Run
from rotkeras.run.pictures import read_pictures
from rotkeras.training import train
from rotkeras.training.task_pictures import keep_pictures

TILES = {"gap": 0.0, "embedding_units": 8, "hidden_units": 8}
PUZZLES = {"name": "jigsaw", **TILES, "permutations": 8, "permutations_per_image": 2}
QUICK = {
    "data": {**SMALL["data"], "train_images": 64, "validation_fraction": 0.1},
    "train": {"epochs": 1, "images_per_batch": 32, "learning_rate": 0.02},
    "probe": {"every_epochs": 0, "train_images": 50},
}


def made(task, **changes):
    return recipe.validate({**LEAN, **QUICK, "task": task, **changes}, "test")


def test_a_run_keeps_its_pictures_and_its_page_shows_them(tmp_path, eagerly, monkeypatch):
    run = Run(tmp_path / "run")
    train(made(PUZZLES), run)
    (picture,) = read_pictures(run.pictures)
    assert picture.name == "puzzles"
    assert run.load_summary() is not None

    def refuse(*_, **__):
        raise AssertionError("a network was loaded")

    monkeypatch.setattr(keras.models, "load_model", refuse)
    page = tmp_path / "page.html"
    text = rotkeras.report.write_report([run.path], page, pictures=False).read_text()
    assert "What the task answers" in text
    assert picture.caption in text
    assert 'href="#run1-answers"' in text
    assert "data:image/png;base64," in text


def test_a_table_of_positions_is_on_the_page(tmp_path, eagerly):
    run = Run(tmp_path / "run")
    train(made({"name": "relative_patch", **TILES}), run)
    (picture,) = read_pictures(run.pictures)
    counts = np.array(picture.counts)
    assert counts.shape == (8, 8)
    assert len(set(counts.sum(axis=1))) == 1  # each image has a neighbour at each position
    text = rotkeras.report.write_report(
        [run.path], tmp_path / "page.html", pictures=False
    ).read_text()
    assert "true above left, predicted" in text
    # A damaged list is said, and the rest of the page is there.
    (run.pictures / "pictures.json").write_text("{")
    text = rotkeras.report.write_report(
        [run.path], tmp_path / "page.html", pictures=False
    ).read_text()
    assert "What the task answers" not in text
    assert "pictures.json is damaged" in text


def test_a_run_without_pictures_has_no_such_section(tmp_path, eagerly):
    run = Run(tmp_path / "run")
    train(made({"name": "rotation"}), run)
    assert not run.pictures.exists()
    text = rotkeras.report.write_report(
        [run.path], tmp_path / "page.html", pictures=False
    ).read_text()
    assert "What the task answers" not in text


@pytest.mark.long
def test_a_resumed_run_has_the_pictures_of_an_unbroken_one(tmp_path, eagerly):
    class Kill(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                raise KeyboardInterrupt

    two = made(PUZZLES, train={**QUICK["train"], "epochs": 2})
    whole, broken = Run(tmp_path / "whole"), Run(tmp_path / "broken")
    train(two, whole)
    with pytest.raises(KeyboardInterrupt):
        train(two, broken, callbacks=[Kill()])
    assert not broken.pictures.exists()
    broken.check(two, resume=True)
    train(two, broken)
    files = [(run.pictures / "puzzles.png").read_bytes() for run in (whole, broken)]
    assert files[0] == files[1]


def test_pictures_that_cannot_be_drawn_end_no_training(tmp_path, eagerly):
    class Broken(Rotation):
        def pictures(self, model, images, seed):
            raise RuntimeError("no ink")

    run, lines = Run(tmp_path / "run"), []
    train(made({"name": "rotation"}), run, task=Broken(), tell=lines.append)
    assert run.load_summary() is not None
    assert "no pictures of the task's answers: RuntimeError: no ink" in lines
    assert not run.pictures.exists()


def test_a_picture_that_is_none_is_said(tmp_path, digit_source):
    class Wrong:
        def pictures(self, model, images, seed):
            return [Picture("A", "x", pixels=np.zeros((2, 2, 3), np.uint8))]

    run, lines = Run(tmp_path / "run"), []
    keep_pictures(run, Wrong(), None, digit_source, 0, lines.append)
    assert len(lines) == 1
    assert "lower-case words" in lines[0]


@pytest.mark.parametrize("make", [Jigsaw, RelativePatch])
def test_pictures_are_the_same_where_views_are_made_inside_the_step(make, digit_source):
    from small_training import three_taps

    task = make(**TILES)
    inside = InStep(task)
    model = inside.build_model(three_taps())
    part = digit_source.validation.draw(20)
    (found,), (expected,) = (
        inside.pictures(model, part, 0),
        task.pictures(
            next(each for each in model.layers if isinstance(each, keras.Model)), part, 0
        ),
    )
    assert found.caption == expected.caption
    np.testing.assert_array_equal(
        found.pixels if found.counts is None else found.counts,
        expected.pixels if expected.counts is None else expected.counts,
    )


def test_a_task_with_a_classifier_beside_it_keeps_its_pictures(digit_source):
    from small_training import three_taps

    class Drawn(Rotation):
        def pictures(self, model, images, seed):
            counts = np.zeros((4, 4), np.int64)
            counts[0, int(model.output_shape[-1]) - 1] = len(images)
            return [Picture("answers", "x", counts=counts, class_names=self.class_names)]

    task = OnlineProbe(Drawn(), classes=10)
    assert hasattr(InStep(task), "pictures")
    assert not hasattr(InStep(pretext.SimCLR()), "pictures")
    assert not hasattr(OnlineProbe(Rotation(), classes=10), "pictures")
    (picture,) = task.pictures(task.build_model(three_taps()), digit_source.validation, 0)
    assert picture.counts[0, 3] == len(digit_source.validation)


def test_the_list_holds_what_the_page_needs(tmp_path, eagerly):
    run = Run(tmp_path / "run")
    train(made(PUZZLES), run)
    (content,) = json.loads((run.pictures / "pictures.json").read_text())
    assert set(content) == {"name", "caption", "file", "counts", "class_names"}
