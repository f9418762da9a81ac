"""Trainings whose epochs are no passes over the images."""

import keras
import numpy as np
import pytest
from small_training import LEAN, quick_nin

from rotkeras import backbones, recipe
from rotkeras.run.folder import Run
from rotkeras.training.callbacks.metrics_log import read_metrics
from rotkeras.training.notes import epoch_notes
from rotkeras.training.trainer import train


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setitem(backbones.NAMES, "nin", quick_nin)

    def made(**settings):
        return recipe.validate({**LEAN, "train": {**LEAN["train"], **settings}}, "test")

    return made


def weights(run):
    return keras.models.load_model(run.model, compile=False).get_weights()


class Stop(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        raise KeyboardInterrupt


@pytest.mark.long
def test_a_training_that_stops_in_the_middle_of_a_pass_resumes_with_the_same_bits(small, tmp_path):
    """288 training images are 18 batches of 16; four epochs of 80 images are 20 of them."""
    chosen, lines = small(images_per_epoch=80), []
    whole, stopped = Run(tmp_path / "whole"), Run(tmp_path / "stopped")
    train(chosen, whole, tell=lines.append)
    assert not [line for line in lines if "images_per_epoch" in line]
    with pytest.raises(KeyboardInterrupt):
        train(chosen, stopped, callbacks=[Stop()])
    assert len(read_metrics(stopped.metrics)) == 1
    train(chosen, stopped, resume=True)
    for one, other in zip(weights(whole), weights(stopped), strict=True):
        np.testing.assert_array_equal(one, other)
    rates = [row["learning_rate"] for row in read_metrics(whole.metrics)]
    assert len(rates) == 4
    assert rates[-1] < 0.02 * max(rates)  # the schedule ends with the fourth epoch


@pytest.mark.parametrize(
    ("wanted", "steps", "words"),
    [(80, 5, None), (90, 5, "no multiple of the 16 images"), (7, 1, "less than the 16 images")],
)
def test_a_length_that_is_no_number_of_batches_is_said(small, wanted, steps, words):
    lines = epoch_notes(small(images_per_epoch=wanted), steps)
    assert len(lines) == bool(words)
    for line in lines:
        assert words in line
        assert line.endswith(f"an epoch takes {16 * steps}")
