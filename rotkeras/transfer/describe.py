"""What a fine-tuned file says of itself, so that the tasks of MediaPipe take it too."""

import json
from typing import Any

from rotkeras.device.boxes import Anchors
from rotkeras.device.task_file import NAME as TASK_FILE
from rotkeras.export.mediapipe import (
    DETECTOR,
    DETECTOR_TENSORS,
    SEGMENTER,
    detector_options,
    segmenter_options,
)
from rotkeras.export.metadata import Description
from rotkeras.images import Size, shown, sides_of

NAMES = {"classify": "classifier", "detect": "detector", "segment": "segmenter"}
"""What the files of a goal are called."""

LEAST_SCORE = 0.3
"""Of objects that MediaPipe's ObjectDetector gives where an app sets none, as of
`rotkeras.device.Detector`; without one every anchor counts until a better one suppresses it."""


def describe(
    name: str,
    profile: str,
    task: dict[str, Any],
    size: Size,
    author: str = "",
    licence: str = "",
) -> Description:
    """What a fine-tuned file says of itself.

    Args:
        name: of the model.
        profile: of the file.
        task: the content of task.json, which travels with it: "task", "classes", and "anchors" of
            a detector.
        size: of the images.
        author: who made it.
        licence: under which it may be used.
    """
    kind, classes = task["task"], task["classes"]
    cut = "its centre cut and resized" if kind == "classify" else "stretched to this size"
    tensors = {
        "images": (
            f"Upright RGB image, uint8, 0 to 255, {cut}: {shown(size)} pixels. No normalisation"
            " outside: it is the first layer."
        ),
        "probabilities": (
            "Probability of each class."
            if kind == "classify"
            else "Probability of each class for each pixel."
        ),
        "boxes": "Offsets of boxes from their anchors, in the order of task.json.",
        "scores": "Probability of each class for each anchor.",
    }
    labelled = "scores" if kind == "detect" else "probabilities"
    further: dict[str, Any] = {}
    if kind == "segment":
        further = {"custom": {SEGMENTER: segmenter_options()}}
    elif kind == "detect":
        sides = sides_of(size)
        anchors = Anchors(**{key: tuple(each) for key, each in task["anchors"].items()})(sides)
        further = {
            "custom": {DETECTOR: detector_options(anchors, sides, len(classes))},
            "names": DETECTOR_TENSORS,
            "boxes": ("boxes",),
            "least_scores": {"scores": LEAST_SCORE},
        }
    return Description(
        f"{name} ({profile})",
        f"A {NAMES[kind]} of {len(classes)} classes, fine-tuned with rotkeras; profile {profile}.",
        "1",
        author,
        licence,
        tensors,
        {labelled: ("labels.txt", classes)},
        {TASK_FILE: [json.dumps(task)]},
        **further,
    )
