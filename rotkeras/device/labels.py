"""The classes that a user names, as columns of a head, and back."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rotkeras.errors import UserError

ClassName = str | int
Labels = Sequence[ClassName] | NDArray[np.generic] | ClassName
"""The class of each image, all names or all whole numbers; one alone for a single image."""


class Classified(NamedTuple):
    """What a learner takes images for.

    Attributes:
        names: the most probable class of each image, (n,).
        probabilities: float32 (n, classes), columns in the order of `Learner.classes`.
    """

    names: NDArray[np.str_] | NDArray[np.int64]
    probabilities: NDArray[np.float32]


def number(
    labels: Labels, known: tuple[ClassName, ...], room: int
) -> tuple[tuple[ClassName, ...], NDArray[np.int32]]:
    """Give each label the number of its class, new classes after those that are known.

    Args:
        labels: names or whole numbers.
        known: the classes so far.
        room: how many classes there may be.

    Returns:
        (all classes, int32 (n,)).

    Raises:
        UserError: for labels of another kind, of two kinds, or of more classes than there is room
            for.
    """
    given = [labels] if isinstance(labels, str | int | np.integer) else list(labels)
    names: list[ClassName] = []
    for each in given:
        if isinstance(each, bool | np.bool_) or not isinstance(each, str | int | np.integer):
            raise UserError(
                f"Expected labels that are names or whole numbers, received {each!r}; convert it."
            )
        names.append(str(each) if isinstance(each, str) else int(each))
    classes = tuple(dict.fromkeys((*known, *names)))
    if len({type(name) for name in classes}) > 1:
        raise UserError(
            f"Expected labels that are all names or all whole numbers, received {classes}; use one"
            " kind."
        )
    if len(classes) > room:
        raise UserError(
            f"Expected at most {room} classes, for which the head has room, received"
            f" {len(classes)}; use fewer."
        )
    return classes, np.array([classes.index(name) for name in names], np.int32)
