"""What settings accept: the types that recipe keys and public arguments share.

A recipe and a public function that take the same setting use one type, so both refuse the same
values with the same sentence: "data.image_size must be at least 8, got 0." and "image_size must be
at least 8, got 0."
"""

import itertools
import os
from collections.abc import Sequence
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, ConfigDict, Field, WithJsonSchema

from rotkeras.errors import received

STRICT = ConfigDict(strict=True, allow_inf_nan=False)
"""Nothing is converted but whole numbers to floats; NaN and infinity are refused."""


_LEAST_SIDE, _MOST_SIDE = 8, 4096
"""Pixels of a side of an image."""


class Wrong(ValueError):  # noqa: N818
    """What a validator of several values found: "must …, got …", after the name of the value, or of
    one of its keys."""

    def __init__(self, clause: str, key: str = "") -> None:
        super().__init__(clause)
        self.key = key


class Shape(NamedTuple):
    """The axes of an array: a number is a length, a letter any length."""

    axes: tuple[int | str, ...]

    def __str__(self) -> str:
        return f"({', '.join(map(str, self.axes))})"

    def fits(self, shape: Sequence[int]) -> bool:
        """Whether an array has these axes."""
        return len(shape) == len(self.axes) and all(
            isinstance(wanted, str) or wanted == length
            for wanted, length in zip(self.axes, shape, strict=True)
        )


def check_angles(angles: Sequence[int]) -> Sequence[int]:
    """The angles; `Wrong` for those that the rotation task does not have."""
    if (
        len(angles) < 2
        or len(set(angles)) < len(angles)
        or any(angle % 45 or not 0 <= angle < 360 for angle in angles)
    ):
        raise Wrong(
            "must be at least two distinct multiples of 45 from 0 to 315, such as [0, 90, 180,"
            f" 270], got {list(angles)}"
        )
    return angles


def _check_text(text: str) -> str:
    if not text.strip():
        raise Wrong("must not be empty; give a value or remove the key")
    return text


def _check_path(path: Any) -> Any:
    if not os.fspath(path).strip():
        raise Wrong(f"must be a path, got {path!r}")
    return path


def _check_task(task: Any) -> Any:
    if isinstance(task, type) or not callable(getattr(task, "views", None)):
        raise Wrong(f"must be a pretext task such as Rotation(), got {received(task)}")
    return task


def _check_known_task(task: Any) -> Any:
    if isinstance(task, type) or not hasattr(task, "class_names"):
        raise Wrong(
            "must be a pretext task such as Rotation(), or the task_facts() of a run, got"
            f" {received(task)}"
        )
    return task


def _check_network(network: Any) -> Any:
    # Looked up by its form, because settings are read without importing Keras.
    if isinstance(network, type) or not hasattr(network, "get_layer"):
        raise Wrong(f"must be a Keras model with taps, such as a backbone, got {received(network)}")
    return network


def _check_size(size: Any) -> Any:
    pair = isinstance(size, list | tuple) and len(size) == 2
    for side in size if pair else (size,):
        if isinstance(side, bool | np.bool_) or not isinstance(side, int | np.integer):
            raise Wrong(f"must be a whole number, or [height, width], got {received(size)}")
        if side < _LEAST_SIDE:
            raise Wrong(f"must be at least {_LEAST_SIDE}, got {received(size)}")
        if side > _MOST_SIDE:
            raise Wrong(f"must be at most {_MOST_SIDE}, got {received(size)}")
    if not pair:
        return int(size)
    height, width = int(size[0]), int(size[1])
    return height if height == width else (height, width)


def check_order(pair: Sequence[float]) -> Sequence[float]:
    """The least and the greatest of a range; `Wrong` for the other order."""
    if pair[0] > pair[1]:
        raise Wrong(f"must be the least and the greatest value, got {list(pair)}")
    return pair


def _check_rising(values: Sequence[float]) -> Sequence[float]:
    if any(later <= earlier for earlier, later in itertools.pairwise(values)):
        raise Wrong(f"must rise, got {list(values)}")
    return values


Positive = Annotated[int, Field(ge=1)]
NotNegative = Annotated[int, Field(ge=0)]
PositiveNumber = Annotated[float, Field(gt=0)]
NotNegativeNumber = Annotated[float, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0, lt=1)]
Temperature = Annotated[float, Field(ge=0.001)]
Momentum = Annotated[float, Field(ge=0, lt=1)]
Share = Annotated[float, Field(gt=0, le=1)]
Probability = Annotated[float, Field(ge=0, le=1)]
SeveralViews = Annotated[int, Field(ge=2, le=64)]
HueShift = Annotated[float, Field(ge=0, le=0.5)]
CropCount = Annotated[int, Field(ge=1, le=10**9)]
Degrees = Annotated[float, Field(ge=0, le=180)]
ShearAngle = Annotated[float, Field(ge=0, le=60)]
"""In degrees."""
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Side = Annotated[int, Field(ge=_LEAST_SIDE, le=_MOST_SIDE)]
"""Pixels of each side of squares."""
ImageSize = Annotated[
    Any,
    AfterValidator(_check_size),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 8, "maximum": 4096},
                {
                    "type": "array",
                    "items": {"type": "integer", "minimum": 8, "maximum": 4096},
                    "minItems": 2,
                    "maxItems": 2,
                },
            ]
        }
    ),
]
"""Pixels of each side of squares, or (H, W)."""
Padding = Annotated[int, Field(ge=0, le=512)]
Width = Annotated[float, Field(gt=0, le=16)]
Power = Annotated[float, Field(gt=0, le=16)]
InputSize = ImageSize
CalibrationImages = Annotated[int, Field(ge=100, le=1000)]
Percent = Annotated[float, Field(ge=0, le=100)]
Classes = Annotated[int, Field(ge=2, le=10000)]
Text = Annotated[str, AfterValidator(_check_text)]
"""Text that says something. An empty value often comes from a shell variable that is not set."""
AnyPath = Annotated[str | os.PathLike[str], AfterValidator(_check_path)]
Angles = Annotated[Sequence[int], AfterValidator(check_angles)]
Rising = Annotated[list[PositiveNumber], Field(min_length=1), AfterValidator(_check_rising)]

Labels = Literal["auto", "folders", "none"]
StorageChoice = Literal["auto", "memory", "file", "encoded"]
OnBadImage = Literal["skip", "error"]
Split = Literal["stratified", "random"]
Views = Literal["all", "one"]
Budget = Literal["fast", "published"]
ProbeName = Annotated[
    str,
    Field(
        pattern=(
            r"^(ridge|logistic|linear|nonlinear|conv|global-logistic|global-linear|knn-[1-9][0-9]*)$"
        )
    ),
]
ProfileName = Literal[
    "float32",
    "float16",
    "dynamic",
    "mixed",
    "int16x8",
    "int8",
    "mediapipe",
    "learner",
    "classifier",
    "orient",
    "onnx",
]
ProfileChoice = Literal[ProfileName, "auto"]
"""A profile, or the best of several for an aim."""
Aim = Literal["size", "speed", "accuracy"]
CamMethod = Literal["gradcam", "gradcam++", "layercam", "scorecam", "saliency"]
Pooling = Literal["average", "none"]
ExportPooling = Literal["average", "max"]
Blocks = Literal[3, 4, 5]

Probes = Annotated[Sequence[ProbeName], Field(min_length=1)]
Profiles = Sequence[ProfileChoice]
TapNames = Annotated[Sequence[Text], Field(min_length=1)]
Paths = Annotated[Sequence[AnyPath], Field(min_length=1)]
Numbers = Annotated[Sequence[NotNegative], Field(min_length=1)]
Penalties = Annotated[tuple[PositiveNumber, ...], Field(min_length=1)]
Channels = tuple[float, float, float]
Spreads = tuple[PositiveNumber, PositiveNumber, PositiveNumber]
Strength = Annotated[float, Field(ge=0, le=1)]
ShareRange = Annotated[tuple[Share, Share], AfterValidator(check_order)]
Range = Annotated[tuple[PositiveNumber, PositiveNumber], AfterValidator(check_order)]
Task = Annotated[Any, AfterValidator(_check_task)]
BaseTask = Annotated[str, AfterValidator(_check_text)]
"""The name of a task of two views, see `rotkeras.pretext.ESSL`."""
KnownTask = Annotated[Any, AfterValidator(_check_known_task)]
"""A pretext task: an object with the methods of `rotkeras.pretext.PretextTask`."""
Network = Annotated[Any, AfterValidator(_check_network)]
"""A `keras.Model` with taps."""

ImageBatch = Annotated[NDArray[np.uint8], Shape(("N", "H", "W", 3))]
AnyImages = Annotated[NDArray[np.uint8], Shape(("N", "H", "W", "C"))]
OneImage = Annotated[NDArray[np.uint8], Shape(("H", "W", 3))]
ViewBatch = Annotated[NDArray[np.uint8], Shape(("N", "V", "H", "W", 3))]
OneMap = Annotated[NDArray[np.float32], Shape(("H", "W"))]
ViewMaps = Annotated[NDArray[np.float32], Shape(("N", 4, "H", "W"))]
Filters = Annotated[NDArray[np.float32], Shape(("N", "K", "K", 3))]
FeatureMatrix = Annotated[NDArray[np.float32], Shape(("N", "D"))]
ViewEmbeddings = Annotated[NDArray[np.float32], Shape(("N", "Q", "D"))]
LabelVector = Annotated[NDArray[np.int64], Shape(("N",))]
