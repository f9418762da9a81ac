"""Classes that are in one part of the images only, in words."""

import numpy as np
from numpy.typing import NDArray

from rotkeras.data.source import Images


def unmeasured(train: Images, validation: Images) -> list[str]:
    """A line for classes without validation images, and one for classes without training images;
    none without labels."""
    if train.labels is None or validation.labels is None:
        return []
    found = []
    missing = np.setdiff1d(train.labels, validation.labels)
    if len(missing):
        them = "it" if len(missing) == 1 else "them"
        found.append(
            f"{_classes(missing, train)} no validation image, so the probes cannot measure {them}"
        )
    if line := without_training(train, validation):
        found.append(line)
    return found


def without_training(train: Images, images: Images, part: str = "validation") -> str:
    """A line for images of classes that have no training image; "" where there are none."""
    assert train.labels is not None
    assert images.labels is not None
    unknown = images.labels[~np.isin(images.labels, train.labels)]
    if not len(unknown):
        return ""
    classes = np.unique(unknown)
    whose = "its" if len(classes) == 1 else "their"
    verb = "s are" if len(unknown) > 1 else " is"
    return (
        f"{_classes(classes, train)} no training image: {whose} {len(unknown):,} {part} image{verb}"
        " left out of the probes"
    )


def _classes(labels: NDArray[np.int64], images: Images) -> str:
    """Classes as the subject of a sentence: "class 'cat' has", "class 'cat' and 2 more have"."""
    names = images.class_names
    first = names[labels[0]] if labels[0] < len(names) else str(labels[0])
    if len(labels) == 1:
        return f"class {first!r} has"
    return f"class {first!r} and {len(labels) - 1:,} more have"
