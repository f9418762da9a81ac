"""What a network predicts for one image, besides its features."""

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from rotkeras.data.keyed import Key


@dataclass(frozen=True, eq=False)
class Prediction:
    """The classes that a network predicts.

    Attributes:
        model: uint8 (B, S, S, 3) -> float32 (B, K), the probability of each class.
        class_names: K names.
        task: what makes views of known classes, a `PretextTask`; None if it is not at hand.
    """

    model: keras.Model
    class_names: tuple[str, ...]
    task: Any = None

    @property
    def angles(self) -> tuple[int, ...]:
        """Degrees counter-clockwise by which an image was turned, one for each class; () for other
        classes."""
        return tuple(getattr(self.task, "angles", ()))

    def examples(
        self, images: NDArray[np.uint8]
    ) -> tuple[NDArray[np.uint8], NDArray[np.int64]] | None:
        """Views of known classes, made by the task: uint8 (m, S, S, 3) and (m,); None without a
        task, or one whose views are no images of that size with a class each.

        Args:
            images: uint8 (n, S, S, 3).
        """
        if not hasattr(self.task, "views"):
            return None
        positions = np.arange(len(images), dtype=np.int64)
        key: Any = Key(np.int64(0), np.int64(0), positions, positions)
        given: Any = images
        if not getattr(self.task, "in_numpy", False):
            import tensorflow as tf

            given, key = tf.constant(images), Key(*map(tf.constant, key[:3]))
        make = getattr(self.task, "examples", self.task.views)
        x, y = (np.asarray(each) for each in make(given, key))
        alike = x.dtype == np.uint8 and x.shape[1:] == images.shape[1:] and y.shape == x.shape[:1]
        return (x, y.astype(np.int64)) if alike else None


def prediction_of(images: Any, logits: Any, network: keras.Model, task: Any) -> Prediction | None:
    """The prediction of a network that ends in one logit for each class of its task; None for
    another.

    Args:
        images, logits: symbolic tensors of the graph that is exported.
        network: what they are of.
        task: the pretext task, or what a run keeps of it (`TaskFacts`); None for no task.
    """
    names = None if task is None else task.class_names
    shape = tuple(getattr(logits, "shape", ()))
    if names is None or shape[1:] != (len(names),):
        return None
    if not isinstance(network.layers[-1], keras.layers.Dense):
        return None
    probabilities = keras.layers.Softmax(name="probabilities", dtype="float32")(logits)
    return Prediction(keras.Model(images, probabilities, name="predictor"), tuple(names), task)
