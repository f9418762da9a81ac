"""The sections of a recipe, as frozen objects. Every field says what it is; `rotkeras schema`
prints it for editors."""

import typing
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from rotkeras import backbones, optimization, pretext
from rotkeras.arguments.accepted import (
    Aim,
    Budget,
    CalibrationImages,
    Classes,
    ExportPooling,
    Fraction,
    InputSize,
    Momentum,
    NotNegative,
    Percent,
    Pooling,
    Positive,
    PositiveNumber,
    Power,
    ProbeName,
    ProfileChoice,
    Seed,
    SeveralViews,
    Text,
    Wrong,
)
from rotkeras.data.augmentation import NAMES as AUGMENTATIONS
from rotkeras.data.augmentation import keras_cv
from rotkeras.errors import UserError
from rotkeras.pretext.check import setting_mistake
from rotkeras.recipe.derive import one_of, section
from rotkeras.recipe.earlier import of_earlier_versions
from rotkeras.recipe.images import Data
from rotkeras.recipe.section import Section

TASKS = {name: section(name, task) for name, task in pretext.NAMES.items()}
"""Sections of pretext tasks, by their names."""

BACKBONES = {
    name: section(name, make, without=backbones.NOT_IN_RECIPES)
    for name, make in backbones.NAMES.items()
}
"""Sections of backbones, by their names."""

SCHEDULES = {name: section(name, make) for name, make in optimization.SCHEDULES.items()}
"""Sections of learning rate schedules, by their names."""

OPTIMIZERS = {name: section(name, make) for name, make in optimization.OPTIMIZERS.items()}
"""Sections of optimizers, by their names."""


class OwnTask(Section):
    """A task of a user's own, which a script trained; its code is not in the recipe."""

    name: Literal["own"]
    class_name: Text = Field(description="Of the task.")


Task: typing.TypeAlias = Any
Backbone: typing.TypeAlias = Any
Schedule: typing.TypeAlias = Any
Optimizer: typing.TypeAlias = Any
if not typing.TYPE_CHECKING:
    Task = one_of(*TASKS.values(), OwnTask, default="rotation")
    Backbone = one_of(*BACKBONES.values(), default="nin")
    Schedule = one_of(*SCHEDULES.values())
    Optimizer = one_of(*OPTIMIZERS.values(), default="sgd")


class KerasCV(Section):
    """Any augmentation layer of keras-cv, with its own arguments."""

    name: Literal["keras_cv"]
    layer: Text = Field(description="Such as RandomGaussianBlur.")
    arguments: dict[str, Any] = Field(
        {}, description="Keyword arguments of the layer; value_range is (0, 255)."
    )


Augmentation: typing.TypeAlias = Any
if not typing.TYPE_CHECKING:
    Augmentation = one_of(
        *(section(each, make) for each, make in AUGMENTATIONS.items() if make is not keras_cv),
        KerasCV,
    )


class Train(Section):
    """How the network learns."""

    epochs: Positive = 100
    images_per_batch: Positive = Field(
        128, description="Images, not views: four rotations make four times as many views."
    )
    images_per_epoch: Positive | None = Field(
        None,
        description=(
            "Images in an epoch, after which validation, probes and checkpoints follow; null: one"
            " pass over all training images."
        ),
    )
    learning_rate: PositiveNumber = Field(0.1, description="The highest that the schedule reaches.")
    schedule: Schedule = Field(
        SCHEDULES["constant"](), description="The learning rate over the epochs."
    )
    optimizer: Optimizer = Field(
        OPTIMIZERS["sgd"](), description="What makes steps of gradients, with its weight decay."
    )
    ema_momentum: Momentum | None = Field(
        None,
        description=(
            "Keep exponential moving averages of the weights, of this momentum, such as 0.999:"
            " validation, probes, encoders and the network that is kept use them; null for none."
        ),
    )
    label_smoothing: Fraction = 0.0
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = "float32"
    quantization_aware: bool = Field(
        False,
        description=(
            "Round kernels, inputs and outputs of convolutions and dense layers to int8 while"
            " training; for a few last epochs, from the network of another run."
        ),
    )
    xla: bool = Field(
        False,
        description=(
            "Compile the step with XLA: faster on a GPU, slower on a CPU; for one device, with"
            " deterministic: false."
        ),
    )
    placement: Literal["auto", "host", "device", "resident"] = Field(
        "auto",
        description=(
            "Where views are made, of the same pixels: host, in the input pipeline; device, inside"
            " the step, of images that are sent; resident, inside the step, of images that lie in"
            " the device's memory. auto: host on a CPU."
        ),
    )
    steps_per_execution: Positive = Field(
        1, description="Steps that one call of the compiled function executes."
    )
    seed: Seed = 0
    deterministic: bool = Field(
        True, description="The same bits at every run; costs speed on a GPU."
    )
    devices: Positive | None = Field(
        None, description="Devices to use; null for all GPUs, or one CPU."
    )
    synchronized_batch_norm: bool = Field(
        False, description="Batch statistics over all devices instead of each its own."
    )

    @model_validator(mode="after")
    def _together(self) -> "Train":
        if self.xla and self.deterministic:
            raise Wrong(
                "must be false with train.deterministic: true, got true; Keras turns XLA off where"
                " results must be the same bit for bit: set train.deterministic to false",
                "xla",
            )
        return self


class Probe(Section):
    """How features are evaluated during training, on the validation set; needs labels."""

    every_epochs: NotNegative = Field(
        10, description="Besides the last epoch; 0 for the last alone."
    )
    train_images: Positive = Field(
        10000, description="Largest number of labelled training images that a probe is trained on."
    )
    probes: Annotated[list[ProbeName], Field(min_length=1)] = Field(
        ["ridge", "knn-20"],
        description=(
            "ridge, logistic, knn-K (closed form, seconds); linear, nonlinear, conv (trained). The"
            " first picks the tap."
        ),
    )
    budget: Budget = Field(
        "fast", description="Training schedule of the probes: fast, or as published."
    )
    data: Data | None = Field(
        None,
        description=(
            "Labelled images to evaluate features on, where those of training have no labels or are"
            " not what the features are for; null for the images of training."
        ),
    )
    online: bool = Field(
        False,
        description=(
            "Train a linear classifier on every tap along with the network, without gradients into"
            " it; its accuracy is logged after every epoch."
        ),
    )

    @model_validator(mode="after")
    def _labelled(self) -> "Probe":
        if self.data is not None and self.data.crops is not None:
            raise Wrong("must be null, because crops have no labels; remove it", "data.crops")
        if self.data is not None and self.data.labels == "none":
            raise Wrong("must be auto or folders, got 'none'; probes need labels", "data.labels")
        return self


class Quality(Section):
    """Measures of every tap that need no labels: rank, decay of the spectrum, LiDAR, uniformity and
    alignment."""

    every_epochs: NotNegative = Field(
        10, description="Besides the last epoch; 0 for the last alone."
    )
    images: Annotated[int, Field(ge=2)] = Field(
        512,
        description=(
            "Largest number of validation images (training images where there are none) that are"
            " measured, the same in every run on these images."
        ),
    )
    views: SeveralViews = Field(
        4,
        description=(
            "Augmented views of an image for LiDAR and alignment; one in so many of the images has"
            " them."
        ),
    )


class Encoder(Section):
    """What is cut from the backbone as encoder.keras."""

    tap: Text = Field(
        "best",
        description=(
            "A tap's name, or best: the best by the first probe on validation (without labels: the"
            " second tap)."
        ),
    )
    pooling: Pooling = "average"


class Attention(Section):
    """Pictures of where the features are strong, for the four views of some validation images, and
    how well they turn along."""

    every_epochs: NotNegative = Field(
        10, description="Besides the last epoch; 0 for the first and the last alone."
    )
    images: Annotated[int, Field(ge=1, le=100)] = Field(
        16, description="Images of a picture, drawn by the seed."
    )
    taps: Annotated[list[Text], Field(min_length=1)] | None = Field(
        None, description="Taps to draw; null for the first three."
    )
    powers: list[Power] | None = Field(
        None, description="p of |activation|^p, one for each tap; null for the published 1, 2, 4."
    )

    @model_validator(mode="after")
    def _as_many(self) -> "Attention":
        if self.taps is not None and len(set(self.taps)) < len(self.taps):
            raise Wrong(f"must be different taps, got {self.taps}; name each once", "taps")
        taps = 3 if self.taps is None else len(self.taps)
        if self.powers is not None and len(self.powers) != taps:
            raise Wrong(f"must have one value for each of {taps} taps, got {self.powers}", "powers")
        return self


class Report(Section):
    """The page of the run, report.html, written when training ends."""

    images: Annotated[int, Field(ge=1, le=32)] = Field(4, description="Images with attention maps.")
    queries: Annotated[int, Field(ge=1, le=32)] = Field(
        6, description="Test images whose nearest neighbours are shown."
    )
    points: Annotated[int, Field(ge=10, le=5000)] = Field(
        600, description="Images on the map of the embeddings."
    )


class Export(Section):
    """What is exported when training ends, and proven: TFLite files and a SavedModel, in
    export/."""

    profiles: list[ProfileChoice] = Field(
        ["float32", "int8"],
        description=(
            "Kinds of file; docs/guides/export_encoders.md lists them. auto: the best of float32,"
            " float16, dynamic, mixed, int16x8 and int8 for aim."
        ),
    )
    aim: Aim = Field(
        "size",
        description=(
            "What auto takes: size, the smallest file, and speed, the fastest, of those that lose"
            " no more than max_drop as measured; accuracy, the smallest of those where such a drop"
            " is excluded."
        ),
    )
    saved_model: bool = Field(True, description="Write a SavedModel too.")
    tap: Text | None = Field(
        None,
        description=(
            "Where the encoder is cut; null for the tap that section encoder names, or, for best,"
            " the one whose exported vectors are best on validation."
        ),
    )
    pooling: ExportPooling = Field("average", description="Over the positions of the feature map.")
    l2_normalization: bool = Field(False, description="Give vectors of unit length.")
    input_size: InputSize | None = Field(
        None,
        description=(
            "Pixels of each side of the images that the files take; null for the size of training."
        ),
    )
    resize: bool = Field(
        False, description="Resize images of input_size to the size of training inside the files."
    )
    calibration_images: CalibrationImages = Field(
        200, description="Training images that set int8 ranges."
    )
    verify_images: Positive = Field(
        2000, description="Largest number of held-out images of the proof."
    )
    max_drop: Percent = Field(
        0.5, description="Percentage points of accuracy that a file may lose against Keras."
    )
    classes: Classes = Field(10, description="Profile learner: largest number of classes.")
    author: str = Field("", description="For the metadata and the model card.")
    licence: str = Field(
        "", description="Of the exported files, for the metadata and the model card."
    )


class Recipe(Section):
    """One training, whole: a function of this object and the images."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")] = Field(
        "run", description="Of the run folder, runs/<name>."
    )
    task: Task = Field(TASKS["rotation"](), description="The pretext task.")
    data: Data
    augmentation: list[Augmentation] = Field(
        [], description="Applied to each image before its views are made, in this order."
    )
    backbone: Backbone = Field(
        BACKBONES["nin"](), description="The network whose features are learned."
    )
    train: Train = Train()
    probe: Probe = Probe()
    quality: Quality | None = Field(
        Quality(), description="Measures without labels during training; null for none."
    )
    encoder: Encoder = Encoder()
    attention: Attention | None = Field(
        Attention(), description="Attention maps during training; null for none."
    )
    export: Export | None = Field(
        None,
        description="Files for servers and devices, written when training ends; null for none.",
    )
    report: Report | None = Field(Report(), description="The page of the run; null for none.")

    @model_validator(mode="after")
    def _fits_the_task(self) -> "Recipe":
        if self.task.name == "own":
            return self
        settings = self.train
        try:
            task = pretext.of_section(self.task)
        except UserError as error:  # of settings that do not go together
            name, _, words = str(error).partition(" ")
            if name.partition(".")[0] not in type(self.task).model_fields:
                raise
            raise Wrong(words.removesuffix("."), f"task.{name}") from None
        if found := setting_mistake(task, settings.images_per_batch, settings.label_smoothing):
            key, words = found
            raise Wrong(words, f"train.{key}")
        return self

    @model_validator(mode="after")
    def _online_has_labels(self) -> "Recipe":
        if self.probe.online and (self.data.crops is not None or self.data.labels == "none"):
            why = "its classifier learns with the network, from images that have no labels here"
            raise Wrong(f"must be false, got true; {why} (probe.data gives none)", "probe.online")
        return self

    @model_validator(mode="before")
    @classmethod
    def _of_earlier_versions(cls, content: Any) -> Any:
        return of_earlier_versions(content)
