"""Recipes of runs of earlier versions, read as this one writes them."""

from typing import Any

_SOURCES = ("tfds", "folder", "arrays", "embedded")
"""Kinds of source that these versions knew."""

_ALWAYS_WRITTEN = ("data_dir", "image_size", "labels", "validation_fraction", "on_bad_image")
"""Keys of the section `data` that every recipe has that was written by a run."""


def of_earlier_versions(content: Any) -> Any:
    """The content of a recipe as this version writes it."""
    if not isinstance(content, dict):
        return content
    content = {"data": {}, **content}  # section Data says that no images are named
    data = content["data"]
    # Earlier versions trained on the digits if no images were named, and wrote every key.
    whole = isinstance(data, dict) and {*_SOURCES, *_ALWAYS_WRITTEN} <= data.keys()
    if whole and data.get("list") is None and all(data[kind] is None for kind in _SOURCES):
        content = {**content, "data": {**data, "embedded": "digits"}}
    # They split at random: their validation images must not become training images.
    if whole and "split" not in data:
        content = {**content, "data": {**content["data"], "split": "random"}}
    # Before `train.placement`, section task said where views are made.
    task, train = content.get("task", {}), content.get("train", {})
    # All optimizers had the settings of SGD.
    optimizer = train.get("optimizer") if isinstance(train, dict) else None
    if isinstance(optimizer, dict) and optimizer.get("name") == "adam" and whole:
        optimizer = {
            key: value for key, value in optimizer.items() if key not in ("momentum", "nesterov")
        }
        train = {**train, "optimizer": optimizer}
        content = {**content, "train": train}
    both = isinstance(task, dict) and isinstance(train, dict)
    if both and task.get("rotate") in ("host", "device"):
        task = dict(task)
        train = {"placement": task.pop("rotate"), **train}
        content = {**content, "task": task, "train": train}
    return content
