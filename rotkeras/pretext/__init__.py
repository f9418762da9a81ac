"""Pretext tasks: what a network learns from images without labels."""

import importlib
from typing import TYPE_CHECKING, Any

from rotkeras.errors import UserError

if TYPE_CHECKING:
    from rotkeras.pretext.aet import AET
    from rotkeras.pretext.amdim import AMDIM
    from rotkeras.pretext.barlow_twins import BarlowTwins
    from rotkeras.pretext.base import Monitor, PretextTask, TaskFacts
    from rotkeras.pretext.byol import BYOL
    from rotkeras.pretext.essl import ESSL
    from rotkeras.pretext.exemplar import Exemplar
    from rotkeras.pretext.in_step import InStep
    from rotkeras.pretext.instance_discrimination import InstanceDiscrimination
    from rotkeras.pretext.jigsaw import Jigsaw
    from rotkeras.pretext.moco import MoCo
    from rotkeras.pretext.online_probe import OnlineProbe
    from rotkeras.pretext.relative_patch import RelativePatch
    from rotkeras.pretext.rotation import Rotation
    from rotkeras.pretext.shortcut_views import ShortcutViews
    from rotkeras.pretext.simclr import SimCLR
    from rotkeras.pretext.simsiam import SimSiam
    from rotkeras.pretext.swav import SwAV
    from rotkeras.pretext.vicreg import VICReg

    NAMES: dict[str, Any]

__all__ = [
    "AET",
    "AMDIM",
    "BYOL",
    "ESSL",
    "BarlowTwins",
    "Exemplar",
    "InStep",
    "InstanceDiscrimination",
    "Jigsaw",
    "MoCo",
    "Monitor",
    "OnlineProbe",
    "PretextTask",
    "RelativePatch",
    "Rotation",
    "ShortcutViews",
    "SimCLR",
    "SimSiam",
    "SwAV",
    "VICReg",
]

_HOMES = {
    "AET": "aet",
    "AMDIM": "amdim",
    "BYOL": "byol",
    "BarlowTwins": "barlow_twins",
    "ESSL": "essl",
    "Exemplar": "exemplar",
    "InStep": "in_step",
    "InstanceDiscrimination": "instance_discrimination",
    "Jigsaw": "jigsaw",
    "MoCo": "moco",
    "Monitor": "base",
    "OnlineProbe": "online_probe",
    "PretextTask": "base",
    "RelativePatch": "relative_patch",
    "Rotation": "rotation",
    "ShortcutViews": "shortcut_views",
    "SimCLR": "simclr",
    "SimSiam": "simsiam",
    "SwAV": "swav",
    "VICReg": "vicreg",
}
_TASKS = {
    "rotation": "Rotation",
    "essl": "ESSL",
    "simclr": "SimCLR",
    "moco": "MoCo",
    "byol": "BYOL",
    "simsiam": "SimSiam",
    "swav": "SwAV",
    "barlow_twins": "BarlowTwins",
    "vicreg": "VICReg",
    "instance_discrimination": "InstanceDiscrimination",
    "amdim": "AMDIM",
    "relative_patch": "RelativePatch",
    "jigsaw": "Jigsaw",
    "exemplar": "Exemplar",
    "aet": "AET",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"rotkeras.pretext.{_HOMES[name]}"), name)
    if name == "NAMES":  # tasks by the name that a recipe uses
        globals()["NAMES"] = {task: __getattr__(each) for task, each in _TASKS.items()}
        return globals()["NAMES"]
    raise AttributeError(f"module 'rotkeras.pretext' has no attribute {name!r}")


def of_section(section: Any) -> "PretextTask":
    """The task of a section `task` of a recipe."""
    tasks: dict[str, Any] = __getattr__("NAMES")
    if section.name not in tasks:  # OWN
        raise UserError(
            f"The task of this recipe is {section.class_name}, a task of its author's own, and its"
            " code is not in the recipe. Train it from Python: rk.training.train(recipe, run,"
            f" task={section.class_name}()), with resume=True to resume."
        )
    task: PretextTask = tasks[section.name](**section.model_dump(exclude={"name"}))
    return task


def of_network(network: Any) -> "PretextTask | None":
    """The task, with its default settings, whose prediction a network ends in, by the name and size
    of its last layer; None for another network."""
    last = network.layers[-1]
    for make in __getattr__("NAMES").values():
        if (head := getattr(make, "head", None)) and last.name == head:
            task: PretextTask = make()
            if getattr(last, "units", None) == len(task.class_names or ()):
                return task
    return None


def facts_of_section(section: Any, images_per_batch: int | None = None) -> "TaskFacts":
    """What a section `task` of a recipe says of its task, see `TaskFacts.of`."""
    from rotkeras.pretext.base import TaskFacts

    return TaskFacts.of(of_section(section), section.name, images_per_batch)
