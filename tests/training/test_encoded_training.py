"""Trainings on images that stay in their files."""

import keras
import numpy as np
import pytest
from PIL import Image
from small_training import LEAN, quick_nin

from rotkeras import UserError, backbones, recipe
from rotkeras.run.folder import Run
from rotkeras.training.trainer import train


@pytest.fixture(autouse=True)
def quickly(monkeypatch, tmp_path):
    monkeypatch.setitem(backbones.NAMES, "nin", quick_nin)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path):
    top = tmp_path / "photos"
    top.mkdir()
    random = np.random.default_rng(0)
    for number in range(48):
        shape = (*random.integers(24, 60, 2), 3)
        Image.fromarray(random.integers(0, 256, shape, np.uint8)).save(top / f"{number:02d}.jpg")
    return top


def made(folder, **more):
    content = {
        **LEAN,
        "data": {"folder": str(folder), "image_size": 16, "storage": "encoded", **more},
        "augmentation": [{"name": "random_resized_crop", "scale": [0.2, 1.0]}],
        "train": {"epochs": 3, "images_per_batch": 8},
    }
    return recipe.validate(content, "test")


def run_of(path, made, **more):
    run = Run(path)
    run.check(made)
    return run, train(made, run, **more)


class After(keras.callbacks.Callback):
    """Does something at the end of an epoch."""

    def __init__(self, epoch, what):
        super().__init__()
        self.epoch, self.what = epoch, what

    def on_epoch_end(self, epoch, logs=None):
        if epoch == self.epoch:
            self.what()


def test_a_stopped_run_that_resumes_has_the_bits_of_one_that_was_not(folder, tmp_path, eagerly):
    lines = []
    whole, _ = run_of(tmp_path / "whole", made(folder), tell=lines.append)
    assert "crops are cut from the photographs themselves, not from their centred squares" in lines

    def stop():
        raise KeyboardInterrupt

    stopped = Run(tmp_path / "stopped")
    stopped.check(made(folder))
    with pytest.raises(KeyboardInterrupt):
        train(made(folder), stopped, callbacks=[After(1, stop)])
    stopped.check(made(folder), resume=True)
    train(made(folder), stopped)
    expected, found = (
        keras.models.load_model(run.model, compile=False).get_weights() for run in (whole, stopped)
    )
    for one, other in zip(expected, found, strict=True):
        np.testing.assert_array_equal(one, other)


def test_files_that_break_or_vanish_while_training_are_named_once(folder, tmp_path, eagerly):
    gone, cut = (folder / f"{number:02d}.jpg" for number in (7, 20))

    def harm():
        gone.unlink()
        cut.write_bytes(cut.read_bytes()[:300])

    lines = []
    recipe = made(folder, validation_fraction=0.0)
    _, summary = run_of(tmp_path / "run", recipe, callbacks=[After(0, harm)], tell=lines.append)
    assert summary["epochs"] == 3
    told = [line for line in lines if "replaced by another image" in line]
    assert sorted(line.split(" could not be read (")[0] for line in told) == [str(gone), str(cut)]
    assert {bad["path"] for bad in summary["images"]["replaced"]} == {str(gone), str(cut)}


def test_it_stops_where_it_is_asked_to(folder, tmp_path, eagerly):
    recipe = made(folder, validation_fraction=0.0, on_bad_image="error")
    with pytest.raises(UserError, match=r"07\.jpg could not be read as an image \(it is gone\)"):
        run_of(
            tmp_path / "run",
            recipe,
            callbacks=[After(0, lambda: (folder / "07.jpg").unlink())],
        )


def test_views_are_made_on_the_host(folder, tmp_path):
    recipe = made(folder)
    inside = recipe.train.model_copy(update={"placement": "device"})
    with pytest.raises(UserError, match=r"placement must be host for images that stay encoded"):
        run_of(tmp_path / "run", recipe.model_copy(update={"train": inside}))
