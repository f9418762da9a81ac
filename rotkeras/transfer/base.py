"""The form of a goal: what an encoder is fine-tuned to.

A goal reads labelled images, makes a Keras model of an encoder that stock `compile` and `fit`
train, and evaluates predictions, whoever made them: Keras, or an exported file. Everything else in
this package asks the goal, and never which one it is.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from rotkeras.data.epochs import Pipeline
from rotkeras.images import Size

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Score:
    """The number by which a goal is measured; higher is better.

    Attributes:
        key: its name in logs and files: "accuracy".
        words: what people read: "mean average precision".
        short: the same in an epoch's line: "mAP".
    """

    key: str
    words: str
    short: str

    def show(self, value: float) -> str:
        """A value as people read it."""
        return f"{100 * value:.1f} %"


@dataclass(frozen=True, eq=False)
class Labelled:
    """The labelled images of a goal, in parts.

    Attributes:
        name: of the set.
        train, validation, test: parts, each of the goal's own kind, with a length and
            `part(positions)`. Validation chooses the epoch; test is read once, at the end.
        class_names: one for each class.
        notes: lines on what was recognised, left out or guessed.
    """

    name: str
    train: Any
    validation: Any
    test: Any
    class_names: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def digests(self) -> dict[str, str]:
        """What tells each part from others."""
        parts = {"train": self.train, "validation": self.validation, "test": self.test}
        return {name: part.digest() for name, part in parts.items()}

    def with_train(self, part: Any) -> "Labelled":
        """The same with other training images."""
        return replace(self, train=part)


@dataclass(frozen=True, eq=False)
class Result:
    """What predictions of a part are worth.

    Attributes:
        score: the goal's number, 0 … 1.
        classes: class name -> its own number, None where it cannot be had.
        images: how many.
    """

    score: float
    classes: dict[str, float | None]
    images: int

    def record(self) -> dict[str, Any]:
        """As `summary.json` holds it."""
        return {
            "score": self.score,
            "classes": self.classes,
            "images": self.images,
        }


def by_name(class_names: Sequence[str], values: Any) -> dict[str, float | None]:
    """A number for each class by its name; None for NaN."""
    return {
        name: None if np.isnan(value) else float(value)
        for name, value in zip(class_names, values, strict=True)
    }


class Goal(Protocol):
    """What an encoder is fine-tuned to.

    Attributes:
        name: "classify", "detect" or "segment".
        score: its number.
        signature: of the exported files.
        clip: length beyond which gradients are shortened; None for none.
    """

    name: str
    score: Score
    signature: str
    clip: float | None

    def read(self, data: Any, size: Size, seed: int, tell: Tell) -> Labelled:
        """The labelled images that section `data` of a recipe names."""

    def build(
        self, network: Any, labelled: Labelled, input_shape: tuple[int, int, int], seed: int
    ) -> Any:
        """The model that `fit` trains."""

    def compile(self, model: Any, optimizer: Any, train: Any, labelled: Labelled) -> None:
        """Compile it with the goal's losses."""

    def head(self, model: Any) -> Sequence[Any]:
        """The layers that are not the encoder's."""

    def kept(self, model: Any) -> Any:
        """What is kept of it: flat, stock layers, one uint8 image in."""

    def batches(
        self,
        labelled: Labelled,
        augmentation: Any,
        size: Size,
        images_per_batch: int,
        seed: int,
        initial_epoch: int = 0,
    ) -> Pipeline:
        """Training batches without an end, for the model."""

    def predict(self, network: Any, part: Any, size: Size) -> Any:
        """What the kept network predicts of a part, by Keras."""

    def predict_file(self, path: Path, part: Any, size: Size) -> tuple[Any, list[float]]:
        """The same by an exported file, and the seconds of each image."""

    def judge(self, predictions: Any, part: Any, class_names: Sequence[str]) -> Any:
        """What each image's prediction is worth, in a form of the goal's own."""

    def evaluate(
        self, judged: Any, class_names: Sequence[str], positions: NDArray[np.int64] | None = None
    ) -> Result:
        """The score of judged images; of those at some positions, which may repeat."""

    def details(self, predictions: Any, part: Any, class_names: Sequence[str]) -> dict[str, float]:
        """Further numbers of the same predictions, by the names that people read."""

    def calibration(self, part: Any, size: Size, count: int, seed: int) -> NDArray[np.uint8]:
        """Images as the files take them: uint8 (n, H, W, 3)."""

    def pictures(
        self, predictions: Any, part: Any, size: Size, class_names: Sequence[str], count: int
    ) -> list[tuple[str, NDArray[np.uint8]]]:
        """(caption, RGB picture) of predictions to look at: the worst first."""
