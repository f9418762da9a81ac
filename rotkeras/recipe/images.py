"""Section `data` of a recipe: where the images come from."""

import typing
from typing import Any, Literal

from pydantic import Field, model_validator

from rotkeras.arguments.accepted import (
    Fraction,
    ImageSize,
    Labels,
    OnBadImage,
    Positive,
    Split,
    StorageChoice,
    Text,
    Wrong,
)
from rotkeras.data.crops import Crops
from rotkeras.recipe.derive import section
from rotkeras.recipe.section import Section

CROPS = section("", Crops)
"""The section of crops of photographs."""

OfCrops: typing.TypeAlias = Any
if not typing.TYPE_CHECKING:
    OfCrops = CROPS

SOURCES: tuple[Literal["tfds", "folder", "list", "arrays", "embedded"], ...] = (
    "tfds",
    "folder",
    "list",
    "arrays",
    "embedded",
)


LISTS = ("list_folder", "validation_list", "test_list")
LOCATIONS = ("folder", "list", "arrays", "tfds", "data_dir", "cache", "test_folder", *LISTS)
"""Keys of the section `data` that say where images lie, and not which images they are."""


class Data(Section):
    """Where the images come from: exactly one of tfds, folder, list, arrays and
    embedded."""

    tfds: Text | None = Field(
        None, description="Name of a tensorflow-datasets image set, such as cifar10."
    )
    data_dir: Text | None = Field(
        None, description="Folder of prepared tensorflow-datasets sets; null for its default."
    )
    folder: Text | None = Field(
        None, description="Folder of images: class folders, or photographs without labels."
    )
    test_folder: Text | None = Field(
        None, description="Second folder whose images are the test set."
    )
    list: Text | None = Field(
        None,
        description=(
            "A .csv, .tsv or .txt file of paths of images, with labels and parts where it has them."
        ),
    )
    list_folder: Text | None = Field(
        None, description="Where paths in lists begin; null for the folder of each list."
    )
    validation_list: Text | None = Field(None, description="A list of the validation images.")
    test_list: Text | None = Field(None, description="A list of the test images.")
    arrays: Text | None = Field(
        None, description="An .npz file with images and, when there are, labels."
    )
    embedded: Literal["digits"] | None = Field(
        None, description="The digits that ship with scikit-learn."
    )
    image_size: ImageSize | None = Field(
        None, description="Pixels of each side after a centred cut, or [height, width]."
    )
    labels: Labels = Field("auto", description="Whether folders are classes.")
    validation_fraction: Fraction = Field(
        0.1, description="Share of the training images split off as validation."
    )
    split: Split = Field(
        "stratified",
        description=(
            "stratified keeps the proportions of the classes in validation; random does not."
        ),
    )
    train_images: Positive | None = Field(
        None, description="Keep a drawn part of the training images; null keeps all."
    )
    on_bad_image: OnBadImage = Field(
        "skip", description="What to do with a file that is not an intact image."
    )
    cache: Text | None = Field(
        None,
        description=(
            "With folder, list or tfds: keeps decoded images on disk between runs; null keeps them"
            " in memory where they fit."
        ),
    )

    storage: StorageChoice = Field(
        "auto",
        description=(
            "With folder, list or tfds: memory or file holds decoded squares; encoded decodes files"
            " when they are needed, and cuts random resized crops from the photographs. auto: what"
            " fits, in this order."
        ),
    )

    crops: OfCrops | None = Field(
        None,
        description=(
            "With folder (or one image file) or list: train on crops of the photographs, made once;"
            " null for the photographs themselves."
        ),
    )

    @model_validator(mode="after")
    def _one_source(self) -> "Data":
        named = [kind for kind in SOURCES if getattr(self, kind) is not None]
        if not named:
            raise Wrong(
                "names no images; set one of data.folder, data.list, data.tfds, data.arrays and"
                " data.embedded (data.embedded=digits for the digits that ship with scikit-learn)"
            )
        if len(named) > 1:
            raise Wrong(
                f"must have one of {', '.join(SOURCES)}, got {' and '.join(named)}; keep one"
            )
        if self.test_folder is not None and self.folder is None:
            raise Wrong("needs data.folder; set it, or remove data.test_folder", "test_folder")
        for name in LISTS:
            if getattr(self, name) is not None and self.list is None:
                raise Wrong(f"needs data.list; set it, or remove data.{name}", name)
        if self.cache is not None and not (self.folder or self.list or self.tfds):
            raise Wrong(
                "needs data.folder, data.list or data.tfds; the others need no cache: remove it",
                "cache",
            )
        if self.storage != "auto" and not (self.folder or self.list or self.tfds):
            raise Wrong("is for files; arrays and the digits are in memory: remove it", "storage")
        if self.cache is not None and self.storage in ("memory", "encoded"):
            raise Wrong("is for data.storage file or auto; remove one of them", "cache")
        self._check_crops()
        return self

    def _check_crops(self) -> None:
        if self.crops is None:
            return
        if not (self.folder or self.list):
            raise Wrong("needs data.folder or data.list, image files; set one of them", "crops")
        if self.storage == "encoded":
            raise Wrong(
                "must be auto, memory or file with data.crops, got 'encoded'; crops are made once",
                "storage",
            )
        if self.labels == "folders":
            raise Wrong(
                "must be auto or none with data.crops, got 'folders'; crops have no labels",
                "labels",
            )
        for name in ("test_folder", "validation_list", "test_list"):
            if getattr(self, name) is not None:
                raise Wrong(
                    f"is not for data.crops; remove data.{name}, and name labelled images in"
                    " probe.data",
                    name,
                )

    @property
    def kind(self) -> Literal["tfds", "folder", "list", "arrays", "embedded"]:
        """The source that is named: tfds, folder, list, arrays or embedded."""
        return next(kind for kind in SOURCES if getattr(self, kind) is not None)
