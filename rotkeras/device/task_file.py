"""What a fine-tuned file says of its task: a JSON text that travels with it."""

import json
import os
from typing import Any, Literal

from rotkeras.device.tflite_file import TFLiteFile
from rotkeras.errors import UserError, brief
from rotkeras.images import Size, as_size

NAME = "task.json"
TaskName = Literal["classify", "detect", "segment"]
_OUTPUTS = {"classify": "probabilities", "detect": "scores", "segment": "probabilities"}
SIGNATURES = {"classify": "predict", "detect": "detect", "segment": "segment"}
"""The signature of each task's files."""


def read_task(file: TFLiteFile, task: TaskName) -> dict[str, Any]:
    """The content of `task.json` of a file, which has at least "task" and "classes".

    Args:
        file: an exported file.
        task: that it must have.

    Raises:
        UserError: for a file of another task, or one that lacks or damages it.
    """
    text = file.associated_file(NAME)
    try:
        content = json.loads(text) if text is not None else {}
        found, classes = content.get("task"), content.get("classes", [])
    except (ValueError, AttributeError) as error:
        raise UserError(
            f"{NAME} of {str(file.path)!r} is damaged ({brief(error)}); export it again."
        ) from error
    if found != task:
        what = f"is a file to {found}" if found else "is no fine-tuned file"
        raise UserError(
            f"{str(file.path)!r} {what}; give one that `rotkeras finetune {task}` exported."
        )
    signature = SIGNATURES[task]
    outputs = file.outputs(signature)
    if _OUTPUTS[task] not in outputs or outputs[_OUTPUTS[task]].shape[-1] != len(classes):
        raise UserError(
            f"{str(file.path)!r} must give {_OUTPUTS[task]} of {len(classes)} classes; export it"
            " again."
        )
    return dict(content)


def size_of(file: TFLiteFile, signature: str) -> Size:
    """The size of the images that a signature takes."""
    _, height, width, _ = file.inputs(signature)["images"].shape
    if height is None or width is None:
        raise UserError(f"{str(file.path)!r} must take images of one size; export it again.")
    return as_size(height, width)


def file_at(path: str | os.PathLike[str], threads: int | None) -> TFLiteFile:
    """Open a file."""
    return TFLiteFile(path, threads)
