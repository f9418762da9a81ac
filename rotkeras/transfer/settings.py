"""The recipe of a fine-tuning, as frozen objects: what `rotkeras finetune` reads and writes."""

import os
import typing
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from rotkeras.arguments.accepted import (
    AnyPath,
    Fraction,
    ImageSize,
    Positive,
    PositiveNumber,
    Seed,
    Share,
    Text,
    Wrong,
    check_order,
)
from rotkeras.arguments.checked import checked
from rotkeras.recipe.derive import one_of, section
from rotkeras.recipe.models import BACKBONES, OPTIMIZERS, SCHEDULES, Backbone, Schedule
from rotkeras.recipe.models import Optimizer as AnyOptimizer
from rotkeras.recipe.section import Section
from rotkeras.transfer.classify.model import classifier
from rotkeras.transfer.detect.model import detector
from rotkeras.transfer.segment.model import segmenter

_GIVEN = ("network", "classes", "input_shape", "seed", "multi_label")
"""Arguments of the three models that come from the images and the run."""

TASKS = {
    "classify": section("classify", classifier, without=_GIVEN),
    "detect": section("detect", detector, without=_GIVEN),
    "segment": section("segment", segmenter, without=_GIVEN),
}
"""Sections of the tasks that an encoder is fine-tuned to, by their names."""

Task: typing.TypeAlias = Any
if not typing.TYPE_CHECKING:
    Task = one_of(*TASKS.values(), default="classify")


def _section(kind: Any, **settings: Any) -> Section:
    """A section whose keys are derived, which a type checker does not know."""
    made: Section = kind(**settings)
    return made


class Data(Section):
    """Where the labelled images come from."""

    path: Text | None = Field(
        None,
        description=(
            "A folder (class folders, a VOCdevkit, COCO, YOLO, images and masks), a list, an .npz,"
            " or a set of tensorflow-datasets; --data sets it."
        ),
    )
    data_dir: Text | None = Field(
        None, description="Folder of prepared tensorflow-datasets sets; null for its default."
    )
    image_size: ImageSize | None = Field(
        None,
        description="Pixels of each side, or [height, width]; null for the size of the encoder.",
    )
    classes: list[Text] | None = Field(
        None, description="The classes to use, in their order; null for those of the images."
    )
    validation_fraction: Fraction = Field(
        0.2, description="Share of the training images for validation, where no part is named so."
    )
    train_images: Positive | None = Field(
        None, description="Keep a drawn part of the training images; null keeps all."
    )
    labels_per_class: Positive | None = Field(
        None, description="With classify: keep so many drawn training images of each class."
    )
    on_fault: Literal["skip", "error"] = Field(
        "skip",
        description="What to do with wrong boxes, masks and files: leave out and count, or end.",
    )

    @model_validator(mode="after")
    def _one_draw(self) -> "Data":
        if self.train_images is not None and self.labels_per_class is not None:
            raise Wrong(
                "and data.labels_per_class must not both be set; keep one of them", "train_images"
            )
        return self


Shares = Annotated[list[Share], Field(min_length=2, max_length=2), AfterValidator(check_order)]
"""The least and the greatest of shares, as YAML has them."""


class Augmentation(Section):
    """How training images are changed; boxes and masks follow."""

    crop_scale: Shares = Field(
        [0.5, 1.0], description="Least and greatest area of a random crop; [1, 1] for none."
    )
    flip: bool = Field(True, description="Mirror half of the images.")
    color: Annotated[float, Field(ge=0, le=1)] = Field(
        0.4, description="Strength of the colour jitter; 0 for none."
    )


class Train(Section):
    """How the network learns."""

    epochs: Positive = 30
    encoder: Literal["full", "frozen", "frozen_then_full"] = Field(
        "full",
        description=(
            "full trains all weights, frozen those of the head alone, frozen_then_full first the"
            " head for frozen_epochs, and then all."
        ),
    )
    frozen_epochs: Positive = Field(
        5, description="With frozen_then_full: epochs of the head alone, of those of epochs."
    )
    images_per_batch: Positive = 16
    learning_rate: PositiveNumber = Field(
        0.001, description="The highest that the schedule reaches."
    )
    learning_rate_decay: Share = Field(
        1.0,
        description=(
            "Factor of the learning rate for each stage of the encoder, from the head to the image:"
            " 0.7 trains the stage before the last with 0.7 of that of the last. 1 for none."
        ),
    )
    schedule: Schedule = Field(SCHEDULES["cosine"](), description="The learning rate over epochs.")
    optimizer: AnyOptimizer = Field(
        _section(OPTIMIZERS["adam"], weight_decay=0.05, weight_decay_as="decoupled"),
        description="What makes steps of gradients, with its weight decay.",
    )
    class_weights: Literal["none", "balanced"] = Field(
        "none",
        description=(
            "With classify and segment: balanced weighs each class by the inverse of its frequency."
        ),
    )
    patience: Positive | None = Field(
        None,
        description=(
            "Stop after so many epochs without a better validation; null trains all epochs. The"
            " best epoch's weights are kept in both cases."
        ),
    )
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = "float32"
    seed: Seed = 0
    deterministic: bool = Field(
        True, description="The same bits at every run; costs speed on a GPU."
    )

    @model_validator(mode="after")
    def _together(self) -> "Train":
        if self.encoder == "frozen_then_full" and self.frozen_epochs >= self.epochs:
            raise Wrong(
                f"must be below train.epochs, {self.epochs}, got {self.frozen_epochs}; use"
                " train.encoder: frozen for a frozen encoder",
                "frozen_epochs",
            )
        return self


class Files(Section):
    """What is exported when training ends, with proof, in export/."""

    profiles: list[Literal["float32", "float16", "dynamic", "mixed", "int16x8", "int8", "auto"]] = (
        Field(["float32", "dynamic"], description="Kinds of file, as `rotkeras export` has them.")
    )
    aim: Literal["size", "speed", "accuracy"] = Field(
        "size", description="What auto takes, as in section export of a pre-training."
    )
    calibration_images: Positive = Field(
        200, description="Training images that set ranges of int8; fewer where there are fewer."
    )
    max_drop: Annotated[float, Field(ge=0, le=100)] = Field(
        0.5, description="Percentage points of the score that a file may lose against Keras."
    )
    author: str = Field("", description="For the metadata and the model card.")
    licence: str = Field("", description="Of the files, for the metadata and the model card.")


class FineTuning(Section):
    """One fine-tuning, whole: a function of this object, the encoder and the images."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")] = Field(
        "finetuned", description="Of the folder, runs/<name>."
    )
    task: Task = Field(TASKS["classify"](), description="What the encoder is fine-tuned to.")
    encoder: Text = Field(
        "none",
        description="A run, a .keras file, or none: the backbone below with drawn weights.",
    )
    backbone: Backbone = Field(
        _section(BACKBONES["keras_applications"], model="MobileNetV3Small"),
        description="The network where encoder is none.",
    )
    data: Data = Data()
    augmentation: Augmentation | None = Field(
        Augmentation(), description="Changes of training images; null for none."
    )
    train: Train = Train()
    export: Files | None = Field(Files(), description="Files for devices; null for none.")

    @model_validator(mode="after")
    def _used(self) -> "FineTuning":
        task = self.task.name
        if task != "classify" and self.data.labels_per_class is not None:
            raise Wrong(
                f"is for classify, not for {task}; use train_images", "data.labels_per_class"
            )
        if task != "classify" and self.data.data_dir is not None:
            raise Wrong(f"is for classify, not for {task}; remove it", "data.data_dir")
        if task == "detect" and self.train.class_weights != "none":
            raise Wrong(
                "is for classify and segment; the focal loss of detect needs none: remove it",
                "train.class_weights",
            )
        return self


@checked
def load_recipe(
    task: AnyPath,
    data: AnyPath | None = None,
    encoder: AnyPath = "none",
    overrides: Sequence[str] = (),
) -> FineTuning:
    """The recipe of a fine-tuning, as `rotkeras finetune` reads it.

    Args:
        task: "classify", "detect" or "segment" for the recipe that ships, or the name or path of
            another.
        data: the labelled images.
        encoder: a run, a `.keras` file, or "none".
        overrides: each "key.path=value", such as "train.epochs=20".

    Raises:
        UserError: for a recipe that does not exist, of pre-training, or with a mistake.

    Example:
        recipe = rotkeras.transfer.load_recipe("detect", "VOCdevkit", "runs/folder")
        summary, exported = rotkeras.transfer.run_fine_tuning(recipe, Path("runs/detect"))
    """
    from rotkeras.recipe.files import load_kind

    given = {} if data is None else {"path": os.fspath(data)}
    made = load_kind(FineTuning, task, overrides, given)
    return made.model_copy(update={"encoder": os.fspath(encoder)})


__all__ = ["TASKS", "Augmentation", "Data", "Files", "FineTuning", "Train", "load_recipe"]
