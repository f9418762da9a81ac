"""The head of a learner file fitted by its own `learn` signature, in full-batch steps."""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rotkeras.device.tflite_file import TFLiteFile
from rotkeras.errors import UserError

_MOMENTUM = 0.9
_STEPS_BETWEEN_LOOKS = 25
_TOLERANCE = 1e-4
_UNUSED_BIAS = -30.0  # e^-30 of the probability: a column without a class takes none


class Fitted(NamedTuple):
    """How a fit went.

    Attributes:
        examples: number of examples it was trained on, all that were given so far.
        classes: how many classes they are of.
        steps: full-batch steps made.
        loss: mean cross-entropy of the examples at the end, without weight decay.
    """

    examples: int
    classes: int
    steps: int
    loss: float


def set_head(file: TFLiteFile, weights: NDArray[np.float32], bias: NDArray[np.float32]) -> None:
    """Put a head of k classes into the file's first k columns, and let the others take no
    probability.

    Args:
        file: a learner file.
        weights: float32 (d, k).
        bias: float32 (k,).
    """
    dimensions, columns = file.inputs("set_head")["weights"].shape
    all_weights = np.zeros((dimensions or 0, columns or 0), np.float32)
    all_bias = np.full(columns or 0, _UNUSED_BIAS, np.float32)
    all_weights[:, : len(bias)], all_bias[: len(bias)] = weights, bias
    file.run("set_head", weights=all_weights, bias=all_bias)


def fit_head(
    file: TFLiteFile,
    embeddings: NDArray[np.float32],
    labels: NDArray[np.int32],
    learning_rate: float,
    weight_decay: float,
    max_steps: int,
) -> tuple[int, float]:
    """Fit softmax regression from a head of zeros, until the objective stops falling.

    The objective, mean cross-entropy + weight_decay/2·|weights|², has one minimum, so where it
    starts does not matter. It is looked at every 25 steps: where it rose, the best head is taken up
    again with half the learning rate, so that no choice of it diverges; where it fell by less than
    a ten-thousandth, the fit is done.

    Args:
        file: a learner file.
        embeddings: float32 (n, d).
        labels: int32 (n,), numbers from 0.
        learning_rate: of the first steps.
        weight_decay: the strength of L2 on the weights.
        max_steps: at most so many.

    Returns:
        (steps made, mean cross-entropy of the head that was kept).

    Raises:
        UserError: for impossible settings, and when the loss is not finite at the smallest learning
            rate.
    """
    if not (
        learning_rate > 0 and weight_decay >= 0 and max_steps >= 1
    ):  # not a number is none of these
        raise UserError(
            "learning_rate and max_steps must be positive and weight_decay at least 0, got"
            f" {learning_rate}, {max_steps} and {weight_decay}."
        )
    classes = int(labels.max()) + 1
    weights, bias = (
        np.zeros((embeddings.shape[1], classes), np.float32),
        np.zeros(classes, np.float32),
    )
    set_head(file, weights, bias)
    best, best_loss, steps = math.inf, math.inf, 0

    def step(rate: float) -> float:
        settings: dict[str, Any] = {
            "learning_rate": rate,
            "momentum": _MOMENTUM,
            "weight_decay": weight_decay,
        }
        return float(file.run("learn", embeddings=embeddings, labels=labels, **settings)["loss"])

    while True:
        head = file.run("get_head", unused=0.0)
        loss = step(learning_rate)  # that of the head before the step
        steps += 1
        with np.errstate(over="ignore"):
            objective = loss + weight_decay / 2 * float(
                np.square(head["weights"], dtype=np.float64).sum()
            )
        fell = best - objective
        if objective < best:
            best, best_loss = objective, loss
            weights, bias = head["weights"][:, :classes], head["bias"][:classes]
        if 0 <= fell < _TOLERANCE * best or steps >= max_steps or learning_rate < 1e-9:
            break
        if not fell >= 0:  # not a number counts as risen
            learning_rate /= 2
            set_head(file, weights, bias)
        for _ in range(min(_STEPS_BETWEEN_LOOKS - 1, max_steps - steps)):
            step(learning_rate)
            steps += 1
    set_head(file, weights, bias)
    if not math.isfinite(best_loss):
        raise UserError(
            f"The head of {str(file.path)!r} could not be trained: its loss became {best_loss};"
            " export the file again."
        )
    return steps, best_loss
