"""Temperatures that let the confidences of an orienter be what they say: of the images to which it
gives 90 percent, 90 percent are right."""

from typing import TypeGuard

import numpy as np
from numpy.typing import NDArray

from rotkeras.device.orienter import Looks, logarithm
from rotkeras.export.prediction import Prediction

_GRID = np.geomspace(0.05, 20.0, 600)
_PRIOR = 0.5
"""Standard deviation of the logarithm of a temperature before anything was measured: a few images
that are all right must not make every answer certain. Of hundreds of images it changes nothing."""
_IMAGES_PER_BATCH = 128


def has_temperatures(prediction: Prediction | None) -> TypeGuard[Prediction]:
    """Whether upright images, turned, show every angle that a network predicts; those of (0, 90)
    do not map onto each other."""
    angles = () if prediction is None else prediction.angles
    return 0 in angles and len(Looks.of(angles).turns) == len(angles)


def fit_temperatures(prediction: Prediction, images: NDArray[np.uint8]) -> tuple[float, float]:
    """The temperatures of `rotkeras.device.Orienter`, by the likelihood of the angles of upright
    images.

    Args:
        prediction: of angles that are quarter turns.
        images: uint8 (n, S, S, 3), upright, and not those of training.

    Returns:
        (of the average of all turns, of a single look).

    Reference:
        Guo, Pleiss, Sun, Weinberger, On Calibration of Modern Neural Networks, ICML 2017, section
        4.2.
    """
    angles = list(prediction.angles)
    looks = Looks.of(angles)
    answers = np.stack(
        [
            prediction.model.predict(
                np.rot90(images, turn, axes=(1, 2)), batch_size=_IMAGES_PER_BATCH, verbose=0
            )
            for turn in looks.turns
        ]
    )
    # An upright image, turned, has the angle of the turn. The average turns exactly with the image,
    # so upright images alone tell all of it.
    upright = np.full(len(images), angles.index(0))
    turned = np.repeat([angles.index(90 * turn) for turn in looks.turns], len(images))
    single = logarithm(answers.reshape(-1, len(angles)))
    return best_temperature(looks.average(answers), upright), best_temperature(single, turned)


def best_temperature(logarithms: NDArray[np.float64], classes: NDArray[np.int64]) -> float:
    """The likeliest temperature of 600 from 1/20 to 20, given classes (n,) and a prior around 1.

    Args:
        logarithms: of probabilities, (n, K), up to a constant of each row.
        classes: which one is right.
    """
    rows = np.arange(len(classes))

    def loss(temperature: float) -> float:
        scaled = logarithms / temperature
        scaled = scaled - scaled.max(axis=1, keepdims=True)
        surprise = float(np.sum(np.log(np.exp(scaled).sum(axis=1)) - scaled[rows, classes]))
        return surprise + float(np.log(temperature)) ** 2 / (2 * _PRIOR**2)

    return float(min(_GRID, key=loss))
