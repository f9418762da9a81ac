"""Epochs of another length than a pass over the images: the batches stay the same."""

import numpy as np
import pytest

from rotkeras.data import Images, pipeline
from rotkeras.data.augmentation import keras_cv, pad_crop_flip
from rotkeras.data.epochs import epoch_steps
from rotkeras.pretext import Rotation


@pytest.fixture
def images():
    array = np.random.default_rng(1).integers(0, 256, (23, 8, 8, 3), dtype=np.uint8)
    return Images.of(array)


def first(batches, count):
    made = iter(batches.dataset)
    return [tuple(np.asarray(each) for each in next(made)) for _ in range(count)]


@pytest.mark.parametrize(
    ("wanted", "batch", "execution", "steps"),
    [
        (None, 5, 1, 4),
        (15, 5, 1, 3),
        (19, 5, 1, 3),  # no multiple of the batch
        (3, 5, 1, 1),  # less than the batch
        (100, 5, 1, 20),  # five passes
        (15, 5, 2, 2),  # whole executions
        (9, 5, 2, 2),
    ],
)
def test_steps_by_hand(wanted, batch, execution, steps):
    assert epoch_steps(4, wanted, batch, execution) == steps


@pytest.mark.parametrize("library", ["numpy", "tensorflow", "graph"])
@pytest.mark.parametrize(("wanted", "steps"), [(15, 3), (35, 7)])
def test_batches_are_the_same_and_resume_in_the_middle_of_a_pass(images, library, wanted, steps):
    settings = {"images_per_batch": 5, "seed": 3, "augmentation": pad_crop_flip(1)}
    if library == "graph":  # which NumPy cannot make
        settings["augmentation"] = [keras_cv("RandomGaussianBlur", kernel_size=3, factor=1.0)]
    settings["library"] = "numpy" if library == "numpy" else "tensorflow"
    whole = pipeline(images, Rotation(), **settings)
    other = pipeline(images, Rotation(), images_per_epoch=wanted, **settings)
    later = pipeline(images, Rotation(), images_per_epoch=wanted, initial_epoch=1, **settings)
    assert (whole.steps_per_epoch, other.steps_per_epoch) == (4, steps)
    expected = first(whole, steps + 6)
    for made, start in ((other, 0), (later, steps)):
        for (x, y), (x_made, y_made) in zip(expected[start:], first(made, 6), strict=False):
            np.testing.assert_array_equal(x, x_made)
            np.testing.assert_array_equal(y, y_made)
